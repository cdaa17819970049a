// An order from the tap to its outcome: lock, timeout, late confirmation, doubt, automatic retry.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { BEN, line, processing, settle, snapshot, told, World } from "./world.js";

const atTable = () => new World().seated(snapshot(1, { items: [line("a", { qty: 2 })] }));

/** Ana has ordered, and the order has failed after so many seconds. */
async function failed(world, { after = 0 } = {}) {
  world.connection.placeOrder("Quickly");
  const { request_id } = world.commands.at(-1);
  await world.say(told.cartLocked(2, "ORD-7-1"), { type: "ack", request_id, seq: 2 });
  await world.clock.pass(after);
  await world.say(told.orderFailed(3, "ORD-7-1"));
  return world;
}

const orders = (world) => world.commands.filter((one) => one.type === "place_order");

describe("an order", () => {
  it("locks the cart at once, and is confirmed only by the server's event", async () => {
    const world = await atTable();
    assert.equal(world.connection.placeOrder("Table by the window"), true);
    assert.equal(world.state.cartLocked, true);
    assert.equal(world.state.orderProcessingStatus, "processing");
    const [command] = world.commands;
    assert.equal(command.total, 1250);
    assert.equal(command.special_instructions, "Table by the window");
    await world.ack(command, 2);
    assert.equal(world.state.outcome, null);
    await world.say(told.cartLocked(2, "ORD-7-1"), told.orderProcessing(3, "ORD-7-1", "sent"));
    assert.equal(world.state.pendingOrderId, "ORD-7-1");
    await world.say(told.orderConfirmed(4, "ORD-7-1"));
    assert.deepEqual([world.state.outcome.orderId, world.state.outcome.late], ["ORD-7-1", false]);
    assert.deepEqual([world.state.items, world.state.cartLocked], [[], false]);
    assert.deepEqual(world.state.orders.map((one) => one.order_id), ["ORD-7-1"]);
    world.store.dismissOutcome();
    assert.equal(world.state.outcome, null);
  });

  it("tapped twice is sent once", async () => {
    const world = await atTable();
    world.connection.placeOrder();
    assert.equal(world.connection.placeOrder(), false);
    assert.equal(orders(world).length, 1);
    assert.deepEqual(world.texts(), ["Order already being processed"]);
  });

  it("that the server refuses unlocks the cart and says why", async () => {
    const world = await atTable();
    world.connection.placeOrder();
    await world.refuse(world.commands[0], "cart_changed", "The cart has changed; look again");
    assert.equal(world.state.cartLocked, false);
    assert.equal(world.state.orderProcessingStatus, "idle");
    assert.deepEqual(world.texts(), ["The cart has changed; look again"]);
  });

  it("that loses the race to another's keeps the other's lock", async () => {
    const world = await atTable();
    world.connection.placeOrder();
    await world.say(told.cartLocked(2, "ORD-7-1", BEN));
    await world.refuse(world.commands[0], "cart_locked", "Order already being processed");
    assert.equal(world.state.lockedByOthers, true);
    assert.equal(world.state.orderProcessingStatus, "processing");
    await world.clock.pass(20);
    assert.equal(world.state.orderTimedOut, false);
  });

  it("of another member is shown with its outcome to everybody", async () => {
    const world = await atTable();
    await world.say(told.cartLocked(2, "ORD-7-1", BEN), told.orderConfirmed(3, "ORD-7-1", { placed_by: BEN }));
    assert.equal(world.state.outcome.placedBy, BEN);
  });
});

describe("an order without an answer", () => {
  it("after ten seconds says so, and asks when told to, and goes on listening", async () => {
    const world = await atTable();
    await world.orderPlaced("ORD-7-1", 2);
    await world.clock.pass(9.9);
    assert.equal(world.state.orderTimedOut, false);
    await world.clock.pass(0.1);
    assert.equal(world.state.orderTimedOut, true);
    assert.equal(world.state.cartLocked, true);
    assert.equal(world.connection.resolveNow(), true);
    assert.equal(world.commands.at(-1).type, "resolve_now");
    await world.say(told.orderConfirmed(3, "ORD-7-1"));
    assert.equal(world.state.outcome.late, true);
    assert.equal(world.state.orderTimedOut, false);
  });

  it("is timed from a refresh on where it was sent before it", async () => {
    const world = await new World().seated(processing(2, "ORD-7-1"));
    await world.clock.pass(10);
    assert.equal(world.state.orderTimedOut, true);
  });

  it("that fails after the timeout is not tried again by itself", async () => {
    const world = await failed(await atTable(), { after: 10.5 });
    assert.equal(world.state.orderProcessingStatus, "failed");
    assert.equal(world.state.retry, null);
  });

  it("is in doubt once the lock has ended: the cart is open for the next round", async () => {
    const world = await atTable();
    await world.orderPlaced("ORD-7-1", 2);
    await world.say(told.orderProcessing(3, "ORD-7-1", "unknown", 2));
    await world.clock.pass(10);
    await world.say(told.cartUnlocked(4, "ORD-7-1"));
    assert.deepEqual([world.state.cartLocked, world.state.orderTimedOut, world.state.items], [false, false, []]);
    assert.equal(world.state.ordersInDoubt[0].stage, "needs_staff");
    assert.equal(world.store.addToCart(456).ok, true);
  });

  it("that is in doubt and then confirmed is shown as late, beside the next round", async () => {
    const world = await atTable();
    await world.orderPlaced("ORD-7-1", 2);
    await world.say(told.cartUnlocked(3, "ORD-7-1"), told.cartUpdated(4, [line("z")]), told.orderConfirmed(5, "ORD-7-1"));
    assert.deepEqual([world.state.outcome.orderId, world.state.outcome.status, world.state.outcome.late], ["ORD-7-1", "confirmed", true]);
    assert.deepEqual(world.state.items.map((item) => item.public_id), ["z"]);
    assert.deepEqual(world.state.ordersInDoubt, []);
  });

  it("that is in doubt and then refused says so and is not tried again", async () => {
    const world = await atTable();
    await world.orderPlaced("ORD-7-1", 2);
    await world.say(told.cartUnlocked(3, "ORD-7-1"), told.orderFailed(4, "ORD-7-1", { allow_retry: false, error: "The kitchen is closed" }));
    const { outcome, retry, orderProcessingStatus } = world.state;
    assert.deepEqual([outcome.status, outcome.error, outcome.late, retry, orderProcessingStatus], ["failed", "The kitchen is closed", true, null, "idle"]);
  });

  it("that is in doubt and refused while the phone was away is told too", async () => {
    const world = await atTable();
    await world.orderPlaced("ORD-7-1", 2);
    await world.say(told.cartUnlocked(3, "ORD-7-1"));
    world.socket.drop();
    await world.clock.pass(0.5);
    await world.let(snapshot(4));
    assert.deepEqual([world.state.outcome.orderId, world.state.outcome.status], ["ORD-7-1", "failed"]);
  });

  it("is not judged by an answer that was asked for before it was settled", async () => {
    const world = await atTable();
    await world.orderPlaced("ORD-7-1", 2);
    await world.say(told.cartUnlocked(3, "ORD-7-1"));
    const path = "/api/sessions/session_1/orders";
    let answerNow;
    world.answers.set(path, () => new Promise((resolve) => (answerNow = () => resolve([200, { orders: [] }]))));
    world.connection.loadOrders();
    await settle();
    world.socket.drop();
    world.answers.set(path, () => new Promise(() => {}));
    await world.clock.pass(0.5);
    await world.let(snapshot(4));
    answerNow();
    await settle();
    assert.equal(world.state.outcome, null);
  });
});

describe("the automatic retry", () => {
  it("comes after 2, 4 and 8 seconds, counted down, each a new order, and then no more", async () => {
    const world = await failed(await atTable());
    const seen = [];
    for (let count = 1; count <= 3; count += 1) {
      assert.deepEqual(world.state.retry, { attempt: count, limit: 3, secondsLeft: 2 ** count });
      await world.clock.pass(1);
      seen.push(world.state.retry.secondsLeft);
      await world.clock.pass(2 ** count - 1.1);
      assert.equal(orders(world).length, count);
      await world.clock.pass(0.1);
      assert.equal(orders(world).length, count + 1);
      assert.equal(world.state.retry, null);
      const seq = count * 2 + 2;
      const { request_id } = world.commands.at(-1);
      await world.say(told.cartLocked(seq, `ORD-7-${count + 1}`), { type: "ack", request_id, seq }, told.orderFailed(seq + 1, `ORD-7-${count + 1}`));
    }
    assert.deepEqual(seen, [1, 3, 7]);
    assert.equal(world.state.retry, null);
    await world.clock.pass(60);
    assert.equal(orders(world).length, 4);
    assert.equal(new Set(orders(world).map((one) => one.request_id)).size, 4);
    assert.equal(orders(world)[3].special_instructions, "Quickly");
  });

  const enders = {
    "a tap": (world) => world.connection.cancelRetry(),
    "an edit of one's own": (world) => world.store.updateCartItem("a", { qty: 3 }),
    "an edit of another": (world) => world.say(told.cartUpdated(4, [line("b")])),
    "an order of another": (world) => world.say(told.cartLocked(4, "ORD-7-2", BEN)),
    "the menu, where it touches a line": (world) => world.say(told.cartUpdated(4, [line("a", { qty: 2, unit_price: 700 })], { by_member: null })),
    "the end of the table": (world) => world.say(told.sessionClosed(4, "left")),
  };
  for (const [what, end] of Object.entries(enders)) {
    it(`ends with ${what}`, async () => {
      const world = await failed(await atTable());
      assert.notEqual(world.state.retry, null);
      await end(world);
      assert.equal(world.state.retry, null);
      await world.clock.pass(30);
      assert.equal(orders(world).length, 1);
    });
  }

  it("gives way to an order placed by hand", async () => {
    const world = await failed(await atTable());
    world.connection.placeOrder();
    assert.equal(world.state.retry, null);
    await world.clock.pass(9);
    assert.equal(orders(world).length, 2);
  });

  it("is only the placing member's", async () => {
    const world = await atTable();
    await world.say(told.cartLocked(2, "ORD-7-1", BEN), told.orderFailed(3, "ORD-7-1"));
    assert.equal(world.state.orderProcessingStatus, "failed");
    assert.equal(world.state.retry, null);
  });

  it("does not come where the failure does not allow it", async () => {
    const world = await atTable();
    await world.orderPlaced("ORD-7-1", 2);
    await world.say(told.orderFailed(3, "ORD-7-1", { allow_retry: false }));
    assert.equal(world.state.retry, null);
  });

  it("does not come on a page that nobody sees, nor go out from one", async () => {
    const hidden = await atTable();
    hidden.visible = false;
    await failed(hidden);
    assert.equal(hidden.state.retry, null);

    const world = await failed(await atTable());
    world.visible = false;
    await world.clock.pass(3);
    assert.equal(orders(world).length, 1);
    assert.equal(world.state.retry, null);
  });

  it("counts the tries of before a refresh and of other devices", async () => {
    const last_order = { order_id: "ORD-7-3", status: "failed", error: "x", allow_retry: true, placed_by: "member_ana", tries: 3 };
    const world = await new World().seated(snapshot(1, { items: [line("a")], last_order }));
    await failed(world);
    assert.equal(world.state.lastOrder.tries, 4);
    assert.equal(world.state.retry, null);
  });

  it("that is due while cut off goes out with the reconnect", async () => {
    const world = await failed(await atTable());
    const { lastOrder, items } = world.state;
    world.networkUp = false;
    await world.clock.pass(1);
    world.socket.drop();
    world.networkUp = true;
    await world.clock.pass(1);
    assert.equal(world.state.retry.secondsLeft, 0);
    await world.let(snapshot(3, { items, last_order: lastOrder, order_processing_status: "failed" }));
    assert.equal(orders(world).length, 1); // on the new websocket
    assert.equal(world.state.cartLocked, true);
  });

  it("that is due while cut off for long is dropped", async () => {
    const world = await failed(await atTable());
    world.networkUp = false;
    world.socket.drop();
    await world.clock.pass(2 + 5);
    assert.equal(world.state.retry, null);
  });
});

describe("on the phones of the others", () => {
  /** Ben's order, seen by Ana, has failed after so many seconds. */
  async function bensFailed({ after = 1, tries = 1, more = {} } = {}) {
    const world = await atTable();
    for (let n = 0; n < tries; n += 1) {
      await world.say(told.cartLocked(2 + 2 * n, `ORD-7-${n}`, BEN));
      await world.clock.pass(after);
      await world.say(told.orderFailed(3 + 2 * n, `ORD-7-${n}`, more));
    }
    return world;
  }

  it("a retry may be about to come until it would have been sent", async () => {
    const world = await bensFailed();
    assert.deepEqual([world.state.retryElsewhere, world.state.retry], [true, null]);
    await world.clock.pass(6.9); // 2 s, and 5 s for a phone that has to reconnect
    assert.equal(world.state.retryElsewhere, true);
    await world.clock.pass(0.2);
    assert.equal(world.state.retryElsewhere, false);
  });

  it("no retry comes after the order timeout, beyond the limit, or where the failure does not allow it", async () => {
    for (const how of [{ after: 10 }, { tries: 4 }, { more: { allow_retry: false } }]) {
      assert.equal((await bensFailed(how)).state.retryElsewhere, false, JSON.stringify(how));
    }
    assert.equal((await bensFailed({ tries: 3 })).state.retryElsewhere, true);
  });

  it("an edit, the next order and the end of the table each end the waiting for it", async () => {
    const ends = [told.cartUpdated(4, [line("z")]), told.cartLocked(4, "ORD-7-9", BEN), told.sessionClosed(4, "over")];
    for (const end of ends) {
      const world = await bensFailed();
      await world.say(end);
      assert.equal(world.state.retryElsewhere, false, end.type);
    }
  });

  it("nothing is said of an order that was not seen to begin", async () => {
    const world = await new World().seated(processing(2, "ORD-7-1", BEN));
    await world.say(told.orderFailed(3, "ORD-7-1"));
    assert.equal(world.state.retryElsewhere, false);
  });
});
