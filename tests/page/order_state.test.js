// The button and the message of specification 8, for every state of an order.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { barOf, buttonOf, messageOf, soldOutLines, spokenOf } from "../../comanda/http/static/order_state.js";
import { ANA, BEN, line, MEMBERS, processing, seatedStore, snapshot, told } from "./world.js";

function seen(first, ...events) {
  const { store } = seatedStore();
  store.loadSnapshot(first);
  events.forEach((event) => store.apply(event));
  return store.getState();
}

const withLine = () => snapshot(5, { items: [line("a")] });
const lastOrder = (more) => ({
  order_id: "ORD-7-1",
  status: "failed",
  error: "POS system unavailable",
  allow_retry: true,
  placed_by: ANA,
  tries: 1,
  ...more,
});
const failed = (more) =>
  seen(snapshot(5, { items: [line("a")], order_processing_status: "failed", last_order: lastOrder(more) }));

describe("the button", () => {
  it("is a green Place Order over a cart that can be ordered", () => {
    assert.deepEqual(buttonOf(seen(withLine())), { text: "Place Order", colour: "green", does: "order" });
  });

  it("can do nothing over an empty cart, and over one with a sold-out dish", () => {
    assert.deepEqual(buttonOf(seen(snapshot(5))), { text: "Place Order", colour: "gray", does: null });
    const soldOut = snapshot(5, { items: [line("a"), line("b", { available: false })] });
    assert.equal(buttonOf(seen(soldOut)).does, null);
  });

  it("is a gray Pending Confirmation... for whoever ordered", () => {
    const pending = { text: "Pending Confirmation...", colour: "gray", does: null };
    assert.deepEqual(buttonOf(seen(processing(5, "ORD-7-1", ANA))), pending);
  });

  it("names whoever ordered to the others", () => {
    const others = { text: "Order Being Processed by Ben", colour: "gray", does: null };
    assert.deepEqual(buttonOf(seen(processing(5, "ORD-7-1", BEN))), others);
  });

  it("is an orange Retry Order after a failure that may be tried again", () => {
    assert.deepEqual(buttonOf(failed()), { text: "Retry Order", colour: "orange", does: "order" });
  });

  it("is Place Order again after a failure that may not", () => {
    assert.equal(buttonOf(failed({ allow_retry: false })).text, "Place Order");
  });

  it("is Place Order again after an edit", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(5, { items: [line("a")], last_order: lastOrder() }));
    assert.equal(buttonOf(store.getState()).text, "Retry Order");
    store.apply(told.cartUpdated(6, [line("a", { qty: 2 })]));
    assert.equal(buttonOf(store.getState()).text, "Place Order");
  });
});

describe("the message", () => {
  it("says nothing while nothing is ordered", () => {
    assert.equal(messageOf(seen(withLine())), null);
  });

  it("has the specification's words while an order is processed", () => {
    assert.equal(messageOf(seen(processing(5, "ORD-7-1", ANA))).text, "Your order is being processed...");
    assert.equal(messageOf(seen(processing(5, "ORD-7-1", BEN))).text, "Order being processed by Ben");
  });

  it("says why an order failed, without a second full stop", () => {
    assert.equal(messageOf(failed()).text, "Order failed: POS system unavailable. Tap to retry.");
    assert.equal(messageOf(failed({ error: "No gas." })).text, "Order failed: No gas. Tap to retry.");
    assert.equal(messageOf(failed({ error: null })).text, "Order failed: no reason given. Tap to retry.");
  });

  it("does not ask for a tap that cannot help", () => {
    assert.doesNotMatch(messageOf(failed({ allow_retry: false })).text, /Tap to retry/);
  });

  it("offers to stop the automatic retry while one is about to come", () => {
    const table = failed();
    assert.equal(messageOf(table).action, null);
    const retry = { attempt: 1, limit: 3, secondsLeft: 2 };
    assert.equal(messageOf({ ...table, retry }).action, "stop");
  });

  it("names whose order failed on every other phone, and nobody on their own", () => {
    assert.equal(messageOf(failed()).more, "");
    const others = failed({ placed_by: BEN });
    assert.equal(messageOf(others).text, "Order failed: POS system unavailable. Tap to retry.");
    assert.equal(messageOf(others).more, "This was the order of Ben.");
    assert.equal(messageOf(failed({ placed_by: "member_gone" })).more, "This was the order of another guest.");
    assert.equal(messageOf(failed({ placed_by: BEN, allow_retry: false })).more, "This was the order of Ben.");
    assert.equal(spokenOf(others), "Order failed: POS system unavailable. Tap to retry. This was the order of Ben.");
    assert.equal(spokenOf(seen(withLine())), "");
  });

  it("says that the other phone may retry by itself, while that may come and the phone is there", () => {
    const others = { ...failed({ placed_by: BEN }), retryElsewhere: true };
    const more = "This was the order of Ben, whose phone may try again by itself.";
    assert.equal(messageOf(others).more, more);
    const members = MEMBERS.map((one) => ({ ...one, online: one.member_id === ANA }));
    assert.equal(messageOf({ ...others, members }).more, "This was the order of Ben.");
  });

  it("offers to ask the kitchen after the timeout, and whenever the outcome is unknown", () => {
    const timedOut = { ...seen(processing(5, "ORD-7-1", ANA)), orderTimedOut: true };
    assert.equal(messageOf(timedOut).action, "ask");
    for (const member of [ANA, BEN]) {
      const table = seen(processing(5, "ORD-7-1", member), told.orderProcessing(6, "ORD-7-1", "unknown"));
      assert.equal(messageOf(table).action, "ask");
    }
  });

  it("names what is sold out and offers to remove it, before anything else is said of the cart", () => {
    const soldOut = [line("a"), line("b", { available: false }), line("c", { available: false })];
    const table = seen(snapshot(5, { items: soldOut, order_processing_status: "failed", last_order: lastOrder() }));
    assert.deepEqual(messageOf(table), { tone: "bad", text: "Sold out: Margherita.", action: "remove", more: "" });
    assert.deepEqual(soldOutLines(table).map((one) => one.public_id), ["b", "c"]);
    assert.equal(messageOf(seen(withLine())), null);
  });

  it("tells an order that the kitchen has from one that it has not answered", () => {
    const table = seen(processing(5, "ORD-7-1", BEN), told.orderProcessing(6, "ORD-7-1", "pending"));
    assert.equal(
      messageOf(table).text,
      "Order being processed by Ben. The kitchen has your order and will confirm it soon.",
    );
  });
});

describe("the bar", () => {
  it("follows the order in few words", () => {
    assert.deepEqual(barOf(seen(withLine())), { text: "View cart", colour: "green" });
    assert.equal(barOf(seen(processing(5, "ORD-7-1", BEN))).text, "Order being processed");
    assert.deepEqual(barOf(failed()), { text: "Order failed", colour: "orange" });
    const inDoubt = { orders_in_doubt: [{ order_id: "ORD-7-1", stage: "needs_staff", lines: [] }] };
    assert.equal(barOf(seen(snapshot(5, inDoubt))).text, "An order is with the staff");
    assert.equal(barOf(seen(snapshot(5, { ...inDoubt, items: [line("a")] }))).text, "View cart");
  });
});
