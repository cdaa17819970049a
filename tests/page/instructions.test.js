// The special instructions of a failed order: whoever retries it finds them in the field.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { followOrders, holdsWordsOfOthers, NO_INSTRUCTIONS } from "../../comanda/http/static/instructions.js";
import { ANA, BEN, line, seatedStore, snapshot, told } from "./world.js";

/** Ana's phone after these events, in whose field `text` was written before the first. */
function after(text, ...events) {
  const { store } = seatedStore();
  store.loadSnapshot(snapshot(1, { items: [line("a")] }));
  let written = { ...NO_INSTRUCTIONS, text };
  store.subscribe((table) => {
    written = followOrders(written, table);
  });
  for (const event of events) {
    if (typeof event === "string") written = { ...written, text: event };
    else assert.equal(store.apply(event), "applied");
    if (event.type === "order_confirmed") store.loadOrders([event.order]);
  }
  return { ...written, ofOthers: holdsWordsOfOthers(written, store.getState()) };
}

const failed = (seq, orderId, by, words) => [
  told.cartLocked(seq, orderId, by),
  told.orderFailed(seq + 1, orderId, { special_instructions: words }),
];
const confirmed = (seq, orderId, by, words) => [
  told.cartLocked(seq, orderId, by),
  told.orderConfirmed(seq + 1, orderId, { placed_by: by, special_instructions: words }),
];

describe("the special instructions", () => {
  it("of another's failed order come into an empty field, and that is said", () => {
    const { text, ofOthers } = after("", ...failed(2, "ORD-7-1", BEN, "No salt"));
    assert.deepEqual([text, ofOthers], ["No salt", true]);
  });

  it("of another's failed order stand before what this guest has written", () => {
    assert.equal(after("One fork more", ...failed(2, "ORD-7-1", BEN, "No salt")).text, "No salt\nOne fork more");
  });

  it("written here are kept where there is no room for both", () => {
    const own = "x".repeat(495);
    assert.deepEqual(after(own, ...failed(2, "ORD-7-1", BEN, "No salt")).text, own);
  });

  it("of one's own failed order stay as they were, and once", () => {
    const { text, ofOthers } = after("No salt", ...failed(2, "ORD-7-1", ANA, "No salt"));
    assert.deepEqual([text, ofOthers], ["No salt", false]);
    const changed = ["No salt, please", ...failed(4, "ORD-7-2", ANA, "No salt, please")];
    assert.equal(after("No salt", ...failed(2, "ORD-7-1", ANA, "No salt"), ...changed).text, "No salt, please");
  });

  it("that a guest took out do not come back before the next failure", () => {
    const edit = told.cartUpdated(4, [line("b")]);
    assert.equal(after("", ...failed(2, "ORD-7-1", BEN, "No salt"), "", edit).text, "");
  });

  it("outlast the edit after the failure", () => {
    const edit = told.cartUpdated(4, [line("b")]);
    assert.equal(after("", ...failed(2, "ORD-7-1", BEN, "No salt"), edit).text, "No salt");
  });

  it("of a second failure take the place of those of the first", () => {
    const twice = [...failed(2, "ORD-7-1", BEN, "No salt"), ...failed(4, "ORD-7-2", BEN, "No sugar")];
    assert.equal(after("One fork more", ...twice).text, "No sugar\nOne fork more");
  });

  it("leave the field when the retry is confirmed, and this guest's own stay", () => {
    const retried = [...failed(2, "ORD-7-1", BEN, "No salt"), ...confirmed(4, "ORD-7-2", BEN, "No salt")];
    assert.equal(after("", ...retried).text, "");
    assert.equal(after("One fork more", ...retried).text, "One fork more");
  });

  it("of one's own order leave the field when it is confirmed, also after an edit that came before the news", () => {
    assert.equal(after("No salt", ...confirmed(2, "ORD-7-1", ANA, "No salt")).text, "");
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(1, { items: [line("a")] }));
    store.apply(told.cartLocked(2, "ORD-7-1", ANA));
    let written = followOrders({ ...NO_INSTRUCTIONS, text: "No salt" }, store.getState());
    store.loadSnapshot(snapshot(9)); // confirmed, and edited since
    store.loadOrders([told.orderConfirmed(3, "ORD-7-1").order]);
    written = followOrders(written, store.getState());
    assert.equal(written.text, "");
  });

  it("of one's own order in doubt are with that order, not with the next", () => {
    const events = [told.cartLocked(2, "ORD-7-1", ANA), told.cartUnlocked(3, "ORD-7-1")];
    assert.equal(after("No salt", ...events).text, "");
  });
});
