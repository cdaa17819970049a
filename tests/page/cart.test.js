// The store alone: the specification's names, its guards, snapshots, every event, edits laid over.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { createCartStore, MAX_COMMANDS_IN_FLIGHT, WORDS } from "../../comanda/http/static/cart.js";
import { ANA, BEN, line, MENU, order, processing, seatedStore, snapshot, told } from "./world.js";

function locked() {
  const seated = seatedStore();
  seated.store.loadSnapshot(processing(5, "ORD-7-1", BEN));
  return seated;
}

describe("a new store", () => {
  it("is open, idle and empty", () => {
    const state = createCartStore().getState();
    assert.equal(state.cartLocked, false);
    assert.equal(state.pendingOrderId, null);
    assert.equal(state.orderProcessingStatus, "idle");
    assert.deepEqual(state.items, []);
    assert.equal(state.settings.order_timeout_seconds, 10);
  });

  it("refuses edits while nothing carries them", () => {
    const store = createCartStore();
    assert.deepEqual(store.addToCart(456), { ok: false, code: "offline", message: WORDS.offline });
  });

  it("gives the same frozen state until something changes, and a new one after", () => {
    const store = createCartStore();
    const before = store.getState();
    assert.equal(store.getState(), before);
    assert.ok(Object.isFrozen(before));
    store.lockCart();
    assert.notEqual(store.getState(), before);
    assert.equal(before.cartLocked, false);
  });

  it("tells its listeners of each change until they leave", () => {
    const store = createCartStore();
    const heard = [];
    const leave = store.subscribe((state) => heard.push(state.cartLocked));
    store.lockCart();
    leave();
    store.unlockCart();
    assert.deepEqual(heard, [true]);
  });

  it("goes on where a listener fails, and reports the fault", () => {
    const faults = [];
    const heard = [];
    const store = createCartStore({ report: (error) => faults.push(error.message) });
    store.subscribe(() => {
      throw new Error("a screen's fault");
    });
    store.subscribe((state) => heard.push(state.cartLocked));
    store.lockCart();
    assert.deepEqual([faults, heard], [["a screen's fault"], [true]]);
  });
});

describe("the specification's methods", () => {
  it("lockCart locks at once and unlockCart takes lock and status back", () => {
    const { store } = seatedStore();
    store.lockCart();
    store.setOrderProcessingStatus("processing");
    assert.equal(store.getState().cartLocked, true);
    assert.equal(store.getState().orderProcessingStatus, "processing");
    store.unlockCart();
    assert.equal(store.getState().cartLocked, false);
    assert.equal(store.getState().orderProcessingStatus, "idle");
  });

  it("unlockCart leaves the server's lock", () => {
    const { store } = locked();
    store.unlockCart();
    assert.equal(store.getState().cartLocked, true);
  });

  it("setPendingOrder and clearPendingOrder set and clear the order in process", () => {
    const { store } = seatedStore();
    store.setPendingOrder("ORD-7-9");
    assert.equal(store.getState().pendingOrderId, "ORD-7-9");
    assert.equal(store.getState().orderProcessingStatus, "processing");
    store.clearPendingOrder();
    assert.equal(store.getState().pendingOrderId, null);
    assert.equal(store.getState().cartLocked, false);
  });

  it("setPendingOrder keeps what is known of that order already", () => {
    const { store } = locked();
    store.setPendingOrder("ORD-7-1");
    assert.equal(store.getState().pendingOrder.placed_by, BEN);
  });

  it("setOrderProcessingStatus holds until the server tells another", () => {
    const { store } = seatedStore();
    store.setOrderProcessingStatus("failed");
    assert.equal(store.getState().orderProcessingStatus, "failed");
    store.loadSnapshot(snapshot(2));
    assert.equal(store.getState().orderProcessingStatus, "idle");
  });
});

describe("the guards of a locked cart", () => {
  const edits = {
    addToCart: (store) => store.addToCart(456),
    updateCartItem: (store) => store.updateCartItem("a", { qty: 2 }),
    removeFromCart: (store) => store.removeFromCart("a"),
    clearCart: (store) => store.clearCart(),
  };
  for (const [name, edit] of Object.entries(edits)) {
    it(`${name} refuses in the server's words, sends nothing and changes nothing`, () => {
      const { store, sent } = locked();
      const before = store.getState().items;
      assert.deepEqual(edit(store), { ok: false, code: "cart_locked", message: "Order already being processed" });
      assert.deepEqual(sent, []);
      assert.deepEqual(store.getState().items, before);
      assert.equal(store.getState().notices[0].text, "Order already being processed");
    });

    it(`${name} is refused visibly while offline`, () => {
      const { store, sent } = seatedStore({ connected: false });
      assert.equal(edit(store).code, "offline");
      assert.deepEqual(sent, []);
      assert.equal(store.getState().notices[0].text, WORDS.offline);
    });

    it(`${name} is refused after the table was closed`, () => {
      const { store } = seatedStore();
      store.loadSnapshot(snapshot(1));
      store.apply(told.sessionClosed(2, "The party has left"));
      assert.equal(edit(store).code, "session_closed");
    });
  }

  it("a second order is refused", () => {
    const { store } = locked();
    assert.equal(store.prepareOrder(""), null);
    assert.equal(store.getState().notices[0].text, "Order already being processed");
  });

  it("an order sent from here locks before the server has heard of it", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(1, { items: [line("a")] }));
    store.prepareOrder("");
    assert.equal(store.getState().cartLocked, true);
    assert.equal(store.getState().lockedByOthers, false);
    assert.equal(store.getState().orderProcessingStatus, "processing");
    assert.equal(store.addToCart(456).code, "cart_locked");
  });

  it("an empty cart cannot be ordered", () => {
    const { store } = seatedStore();
    assert.equal(store.prepareOrder(""), null);
    assert.equal(store.getState().notices[0].code, "cart_empty");
  });
});

describe("place_order", () => {
  it("says what is seen here: lines, total and special instructions", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(1, { items: [line("a", { qty: 2, note: "Extra spicy" })] }));
    assert.deepEqual(store.prepareOrder("Table by the window"), {
      type: "place_order",
      request_id: "id-1",
      cart_items: [{ public_id: "a", menu_item_id: 456, qty: 2, note: "Extra spicy" }],
      total: 1250,
      special_instructions: "Table by the window",
    });
  });

  it("includes edits that are still on their way, since the server takes them first", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(1, { items: [line("a")] }));
    store.updateCartItem("a", { qty: 3 });
    const command = store.prepareOrder("");
    assert.equal(command.cart_items[0].qty, 3);
    assert.equal(command.total, 1875);
  });
});

describe("a snapshot", () => {
  it("is the whole truth, the lock after a refresh too", () => {
    const { store } = locked();
    const state = store.getState();
    assert.equal(state.cartLocked, true);
    assert.equal(state.lockedByOthers, true);
    assert.equal(state.lockedByName, "Ben");
    assert.equal(state.pendingOrderId, "ORD-7-1");
    assert.equal(state.orderProcessingStatus, "processing");
    assert.equal(state.members.length, 2);
    assert.equal(state.seq, 5);
  });

  it("that tells of a failed order shows it", () => {
    const { store } = seatedStore();
    const last_order = { order_id: "ORD-7-1", status: "failed", error: "Oven is cold", allow_retry: true, placed_by: ANA, tries: 1 };
    store.loadSnapshot(snapshot(3, { last_order, order_processing_status: "failed" }));
    assert.equal(store.getState().orderProcessingStatus, "failed");
    assert.equal(store.getState().lastOrder.error, "Oven is cold");
  });

  it("leaves the lock of here until its command is answered", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(1, { items: [line("a")] }));
    store.prepareOrder("");
    store.loadSnapshot(snapshot(2, { items: [line("a")] }));
    assert.equal(store.getState().cartLocked, true);
  });
});

describe("an event", () => {
  it("is dropped where it is known already", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(5));
    assert.equal(store.apply(told.cartUpdated(5, [line("a")])), "stale");
    assert.deepEqual(store.getState().items, []);
  });

  it("after a gap changes nothing", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(5));
    assert.equal(store.apply(told.cartUpdated(7, [line("a")])), "gap");
    assert.equal(store.getState().seq, 5);
    assert.deepEqual(store.getState().items, []);
  });

  it("before the first snapshot is a gap", () => {
    const { store } = seatedStore();
    assert.equal(store.apply(told.cartUpdated(1, [])), "gap");
  });

  it("cart_updated adds, changes and removes lines and says whose edit it was", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(1, { items: [line("a"), line("b"), line("c")] }));
    const event = told.cartUpdated(2, [line("b", { qty: 4 }), line("d")], { removed: ["a"], total: 3750 });
    assert.equal(store.apply(event), "applied");
    const state = store.getState();
    assert.deepEqual(state.items.map((item) => [item.public_id, item.qty]), [["b", 4], ["c", 1], ["d", 1]]);
    assert.equal(state.total, 3750);
    assert.deepEqual(state.lastEdit, { byMember: BEN, byName: "Ben", publicIds: ["b", "d"], seq: 2 });
  });

  it("cart_updated by a member ends a failure; one by the menu does not", () => {
    const { store } = seatedStore();
    const last_order = { order_id: "ORD-7-1", status: "failed", error: "", allow_retry: true, placed_by: ANA, tries: 1 };
    store.loadSnapshot(snapshot(1, { last_order }));
    store.apply(told.cartUpdated(2, [], { by_member: null }));
    assert.equal(store.getState().orderProcessingStatus, "failed");
    store.apply(told.cartUpdated(3, []));
    assert.equal(store.getState().orderProcessingStatus, "idle");
  });

  it("one's own cart_updated is nobody else's edit", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(1));
    store.apply(told.cartUpdated(2, [line("a")], { by_member: ANA }));
    assert.equal(store.getState().lastEdit, null);
  });

  it("cart_locked locks every line and names who ordered", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(1, { items: [line("a")] }));
    store.apply(told.cartLocked(2, "ORD-7-1", BEN));
    const state = store.getState();
    assert.equal(state.cartLocked, true);
    assert.equal(state.lockedByOthers, true);
    assert.equal(state.lockedByName, "Ben");
    assert.equal(state.pendingOrderId, "ORD-7-1");
    assert.equal(state.items[0].state, "locked");
  });

  it("cart_locked for one's own order takes the place of the lock of here", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(1, { items: [line("a")] }));
    store.prepareOrder("");
    store.apply(told.cartLocked(2, "ORD-7-1", ANA));
    assert.equal(store.getState().lockedHere, false);
    assert.equal(store.getState().cartLocked, true);
    assert.equal(store.getState().lockedByOthers, false);
  });

  it("order_processing tells stage, attempt and the end of the lock of that order alone", () => {
    const { store } = locked();
    store.apply(told.orderProcessing(6, "ORD-7-1", "unknown", 2));
    assert.equal(store.getState().pendingOrder.stage, "unknown");
    assert.equal(store.getState().pendingOrder.attempt, 2);
    assert.equal(store.getState().pendingOrder.lock_ends_at, "2024-01-15T10:31:00Z");
    store.apply(told.orderProcessing(7, "ORD-7-99", "pending", 9));
    assert.equal(store.getState().pendingOrder.attempt, 2);
    assert.equal(store.getState().seq, 7);
  });

  it("order_confirmed empties and opens the cart", () => {
    const { store } = locked();
    store.apply(told.orderConfirmed(6, "ORD-7-1", { placed_by: BEN }));
    const state = store.getState();
    assert.deepEqual(state.items, []);
    assert.equal(state.total, 0);
    assert.equal(state.cartLocked, false);
    assert.equal(state.pendingOrderId, null);
    assert.equal(state.lockedByName, null);
    assert.equal(state.orderProcessingStatus, "confirmed");
    assert.equal(state.lastOrder.placed_by, BEN);
  });

  it("order_failed gives the lines back, says why and counts the tries in a row", () => {
    const { store } = locked();
    store.apply(told.orderFailed(6, "ORD-7-1"));
    const state = store.getState();
    assert.equal(state.cartLocked, false);
    assert.equal(state.items[0].state, "pending");
    assert.equal(state.orderProcessingStatus, "failed");
    assert.deepEqual([state.lastOrder.error, state.lastOrder.tries, state.lastOrder.placed_by], ["POS system unavailable", 1, BEN]);
    store.apply(told.cartLocked(7, "ORD-7-2", BEN));
    store.apply(told.orderFailed(8, "ORD-7-2"));
    assert.equal(store.getState().lastOrder.tries, 2);
  });

  it("cart_unlocked opens the cart and keeps the order, in doubt, beside it", () => {
    const { store } = locked();
    store.apply(told.cartUnlocked(6, "ORD-7-1"));
    const state = store.getState();
    assert.equal(state.cartLocked, false);
    assert.deepEqual(state.items, []);
    assert.equal(state.orderProcessingStatus, "idle");
    assert.deepEqual(state.ordersInDoubt.map((one) => [one.order_id, one.stage, one.lines[0].line_total, one.lines[0].added_by]), [["ORD-7-1", "needs_staff", 625, "Ana"]]);
  });

  for (const [name, event] of [["order_confirmed", told.orderConfirmed(8, "ORD-7-1")], ["order_failed", told.orderFailed(8, "ORD-7-1")]]) {
    it(`${name} of an order in doubt touches neither the cart nor a later lock`, () => {
      const { store } = locked();
      store.apply(told.cartUnlocked(6, "ORD-7-1"));
      store.apply(told.cartUpdated(7, [line("z")]));
      store.loadSnapshot({ ...processing(7, "ORD-7-2", ANA, [line("z", { state: "locked" })]), orders_in_doubt: store.getState().ordersInDoubt });
      assert.equal(store.apply(event), "applied");
      const state = store.getState();
      assert.deepEqual(state.ordersInDoubt, []);
      assert.equal(state.pendingOrderId, "ORD-7-2");
      assert.deepEqual(state.items.map((item) => item.public_id), ["z"]);
    });
  }

  it("member_joined adds a member once; presence says who is online", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(1, { members: [] }));
    store.apply(told.memberJoined(2, { member_id: BEN, name: "Ben" }));
    assert.deepEqual(store.getState().members, [{ member_id: BEN, name: "Ben", online: false }]);
    assert.equal(store.apply(told.presence([{ member_id: BEN, name: "Ben", online: true }])), "applied");
    assert.equal(store.getState().members[0].online, true);
    assert.equal(store.getState().seq, 2);
  });

  it("session_closed says why", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(1));
    store.apply(told.sessionClosed(2, "The table was closed by the staff"));
    assert.equal(store.getState().closedReason, "The table was closed by the staff");
  });

  it("of a kind that this version does not know changes nothing", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(1));
    const before = store.getState().items;
    store.apply({ type: "weather", sky: "blue" });
    assert.equal(store.getState().items, before);
    assert.equal(store.getState().seq, 1);
  });
});

describe("an edit of one's own", () => {
  function withLine() {
    const seated = seatedStore();
    seated.store.loadSnapshot(snapshot(1, { items: [line("a")] }));
    return seated;
  }

  it("shows at once, before the server has answered, with name and price from the menu", () => {
    const { store, sent } = withLine();
    const { publicId } = store.addToCart(458, { qty: 2, note: "No chilli" });
    const added = store.getState().items[1];
    assert.deepEqual([added.public_id, added.name, added.qty, added.note, added.unsaved], [publicId, "Diavola", 2, "No chilli", true]);
    assert.equal(store.getState().total, 2105.2);
    assert.equal(sent[0].type, "add_item");
    assert.equal(sent[0].public_id, publicId);
  });

  it("of a line, its removal, and the clearing of the cart show at once too", () => {
    const { store } = withLine();
    store.updateCartItem("a", { qty: 3 });
    assert.deepEqual([store.getState().items[0].qty, store.getState().total], [3, 1875]);
    store.updateCartItem("a", { note: "Well done" });
    assert.deepEqual([store.getState().items[0].qty, store.getState().items[0].note], [3, "Well done"]);
    store.removeFromCart("a");
    assert.deepEqual(store.getState().items, []);
    store.addToCart(456);
    store.clearCart();
    assert.deepEqual(store.getState().items, []);
  });

  it("that is refused is taken back with the server's sentence, and the others stay", () => {
    const { store, sent } = withLine();
    store.updateCartItem("a", { qty: 3 });
    store.addToCart(458);
    store.replied({ type: "error", request_id: sent[1].request_id, code: "item_unavailable", message: "Diavola is sold out" });
    assert.deepEqual(store.getState().items.map((item) => [item.public_id, item.qty]), [["a", 3]]);
    assert.equal(store.getState().notices[0].text, "Diavola is sold out");
  });

  it("neither flickers nor doubles, whether ack or event comes first", () => {
    for (const ackFirst of [true, false]) {
      const { store, sent } = withLine();
      const { publicId } = store.addToCart(458);
      const ack = () => store.replied({ type: "ack", request_id: sent[0].request_id, seq: 2 });
      const event = () => store.apply(told.cartUpdated(2, [line(publicId, { menu_item_id: 458, unit_price: 740.1 })], { by_member: ANA, total: 1365.1 }));
      const counts = [];
      store.subscribe((state) => counts.push(state.items.length));
      for (const step of ackFirst ? [ack, event] : [event, ack]) step();
      assert.deepEqual(new Set(counts), new Set([2]));
      assert.equal(store.getState().items[1].unsaved, undefined);
      assert.equal(store.getState().total, 1365.1);
    }
  });

  it("lies over what others do meanwhile", () => {
    const { store } = withLine();
    store.updateCartItem("a", { qty: 3 });
    store.apply(told.cartUpdated(2, [line("b")], { total: 1250 }));
    assert.deepEqual(store.getState().items.map((item) => [item.public_id, item.qty]), [["a", 3], ["b", 1]]);
    assert.equal(store.getState().total, 2500);
  });

  it("on a line that another has taken out meanwhile shows nothing", () => {
    const { store } = withLine();
    store.updateCartItem("a", { qty: 3 });
    store.apply(told.cartUpdated(2, [], { removed: ["a"], total: 0 }));
    assert.deepEqual(store.getState().items, []);
  });

  it("is bounded in number while replies are missing", () => {
    const { store } = withLine();
    for (let count = 0; count < MAX_COMMANDS_IN_FLIGHT; count += 1) assert.equal(store.updateCartItem("a", { qty: 2 }).ok, true);
    assert.equal(store.updateCartItem("a", { qty: 2 }).code, "too_busy");
  });
});

describe("notices, menu and orders", () => {
  it("a notice stays until it is dismissed, the same words only once, and never more than three", () => {
    const { store } = seatedStore();
    for (const text of ["one", "two", "two", "three", "four"]) store.notify("info", "x", text);
    assert.deepEqual(store.getState().notices.map((notice) => notice.text), ["two", "three", "four"]);
    store.dismissNotice(store.getState().notices[1].id);
    assert.deepEqual(store.getState().notices.map((notice) => notice.text), ["two", "four"]);
  });

  it("menu_updated changes price and availability, and the price of what is added next", () => {
    const { store } = seatedStore();
    store.updateMenu([{ menu_item_id: 456, price: 640, available: false }]);
    const [item, other] = store.getState().menu.sections[0].items;
    assert.deepEqual([item.name, item.price, item.available], ["Margherita", 640, false]);
    assert.deepEqual(other, MENU.sections[0].items[1]);
    store.addToCart(456);
    assert.equal(store.getState().items[0].unit_price, 640);
  });

  it("orders stand newest first and are not lost by an older answer", () => {
    const { store } = seatedStore();
    store.loadOrders([order("ORD-7-3")]);
    store.loadOrders([order("ORD-7-2"), order("ORD-7-1")]);
    assert.deepEqual(store.getState().orders.map((one) => one.order_id), ["ORD-7-3", "ORD-7-2", "ORD-7-1"]);
  });

  it("a new seat begins with an empty cart and an open table", () => {
    const { store } = locked();
    store.apply(told.sessionClosed(6, "left"));
    store.takeSeat({ memberId: "member_new", restaurant: null, table: null, settings: {} });
    assert.deepEqual([store.getState().closedReason, store.getState().cartLocked, store.getState().seq], [null, false, null]);
  });
});
