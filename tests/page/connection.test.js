// The connection and its store against a server that the test plays: sitting down, refresh, reconnect.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { WORDS } from "../../comanda/http/static/cart.js";
import { ANA, BEN, line, MENU, processing, SETTINGS, settle, snapshot, told, World } from "./world.js";

const REFUSED = (status, code, detail) => () => [status, { status, code, detail, title: code }];

describe("sitting down", () => {
  it("a new phone is shown the table and its menu and asked for a name", async () => {
    const world = new World();
    await world.phone().start();
    assert.equal(world.state.phase, "needs_name");
    assert.equal(world.state.table.label, "T1");
    assert.deepEqual(world.state.menu, MENU);
    assert.equal(world.sockets.length, 0);
  });

  it("a name joins over HTTP, then over the websocket with the token", async () => {
    const world = new World();
    await world.phone().start();
    assert.equal(await world.connection.join("Ana"), true);
    await world.let(snapshot(1, { items: [line("a")] }));
    assert.equal(world.socket.url, "ws://server.test/ws/sessions/session_1");
    assert.deepEqual(world.socket.sent, [{ type: "join", token: "token-1" }]);
    assert.equal(world.state.phase, "seated");
    assert.equal(world.state.connection, "connected");
    assert.equal(world.state.memberId, ANA);
    assert.equal(world.state.items.length, 1);
  });

  it("with TLS the websocket has TLS too", async () => {
    const world = new World();
    await world.phone({ baseUrl: "https://server.test", name: "Ana" }).start();
    assert.equal(world.socket.url, "wss://server.test/ws/sessions/session_1");
  });

  it("the name is remembered, and nobody is seated unasked by opening the page again", async () => {
    const world = await new World().seated();
    world.connection.leave();
    await world.phone().start();
    assert.equal(world.state.phase, "needs_name");
    assert.equal(world.state.rememberedName, "Ana");
  });

  it("an unknown table is said to be one", async () => {
    const world = new World();
    world.answers.set("/api/tables/demo-1", REFUSED(404, "not_found", "There is no table with this code"));
    await world.phone().start();
    assert.equal(world.state.phase, "no_table");
  });

  it("a refused join says why and asks again", async () => {
    const world = new World();
    world.answers.set("/api/tables/demo-1/join", REFUSED(409, "conflict", "The table is full"));
    await world.phone().start();
    assert.equal(await world.connection.join("Ana"), false);
    assert.equal(world.state.phase, "needs_name");
    assert.deepEqual(world.texts(), ["The table is full"]);
  });

  it("a table that asks for its PIN is joined with it, and shows it from then on", async () => {
    const world = new World();
    const seated = world.answers.get("/api/tables/demo-1/join");
    world.answers.set("/api/tables/demo-1/join", REFUSED(403, "pin_required", "Ask them for the table's PIN"));
    await world.phone().start();
    assert.equal(world.state.pinNeeded, false);
    assert.equal(await world.connection.join("Ana"), false);
    assert.deepEqual([world.state.phase, world.state.pinNeeded], ["needs_name", true]);
    assert.deepEqual(world.texts(), []); // the form says it

    world.answers.set("/api/tables/demo-1/join", REFUSED(403, "pin_wrong", "This is not the table's PIN"));
    assert.equal(await world.connection.join("Ana", "9999"), false);
    assert.deepEqual([world.state.phase, world.state.pinNeeded], ["needs_name", true]);
    assert.deepEqual(world.texts(), ["This is not the table's PIN"]);

    world.answers.set("/api/tables/demo-1/join", seated);
    world.answers.set("/api/sessions/session_1/cart", () => [200, { ...snapshot(1), join_pin: "0482" }]);
    assert.equal(await world.connection.join("Ana", "0482"), true);
    assert.deepEqual(JSON.parse(world.bodies.at(-1)), { name: "Ana", pin: "0482" });
    assert.deepEqual([world.state.phase, world.state.pinNeeded, world.state.joinPin], ["seated", false, "0482"]);
  });

  it("a table that cannot be looked at is tried again, at once when the network is back", async () => {
    const world = new World();
    world.networkUp = false;
    const started = world.phone().start();
    await world.clock.pass(3);
    assert.equal(world.requests.length, 2);
    assert.equal(world.state.phase, "starting");
    world.networkUp = true;
    world.outside("online");
    await started;
    assert.equal(world.state.phase, "needs_name");
  });
});

describe("the first cart waits for nothing but its own round trip", () => {
  const CART = "GET /api/sessions/session_1/cart";
  const MENU_ASKED = "GET /api/restaurants/7/menu";

  /** A menu whose answer is on its way until `arrive()`. */
  function slowMenu(world) {
    const answer = world.answers.get("/api/restaurants/7/menu");
    const asked = [];
    world.answers.set("/api/restaurants/7/menu", (headers) => new Promise((resolve) => asked.push(() => resolve(answer(headers)))));
    return { arrive: () => asked.splice(0).forEach((give) => give()) };
  }

  it("after sitting down: it is asked for when the join is answered, and shown before the websocket is open", async () => {
    const world = new World();
    const menu = slowMenu(world);
    world.answers.set("/api/sessions/session_1/cart", () => [200, snapshot(4, { items: [line("a")] })]);
    const started = world.phone({ name: "Ana" }).start();
    await settle();
    const asked = ["GET /api/tables/demo-1", MENU_ASKED, "POST /api/tables/demo-1/join", CART];
    assert.deepEqual(world.requests.slice(0, 4), asked);
    assert.equal(world.state.menu, null); // whose answer is still on its way
    assert.deepEqual(world.state.items.map((one) => one.public_id), ["a"]);
    assert.equal(world.state.connection, "connecting");
    menu.arrive();
    await started;
    assert.notEqual(world.state.menu, null);
  });

  it("after a refresh: cart and menu are asked for side by side", async () => {
    const world = await new World().seated();
    world.connection.close();
    const menu = slowMenu(world);
    world.requests = [];
    const started = world.phone().start();
    await settle();
    assert.deepEqual(world.requests.slice(0, 2), [CART, MENU_ASKED]);
    assert.equal(world.state.seq, 1);
    menu.arrive();
    await started;
  });

  it("the menu is asked for again once the websocket is there: what changed before it was not told", async () => {
    const world = new World();
    world.phone({ name: "Ana" });
    await world.connection.start();
    world.requests = [];
    await world.let(snapshot(1));
    assert.ok(world.requests.includes(MENU_ASKED));
  });
});

describe("a refresh", () => {
  it("comes back to the same seat without joining over HTTP again, the lock restored", async () => {
    const world = await new World().seated();
    world.connection.close();
    world.requests = [];
    world.answers.set("/api/sessions/session_1/cart", () => [200, processing(5, "ORD-7-1")]);
    await world.phone().start();
    assert.ok(!world.requests.includes("POST /api/tables/demo-1/join"));
    assert.equal(world.state.memberId, ANA);
    assert.equal(world.state.cartLocked, true);
    assert.equal(world.state.pendingOrderId, "ORD-7-1");
    assert.equal(world.state.orderProcessingStatus, "processing");
    await world.let(processing(5, "ORD-7-1"));
    await world.say(told.orderConfirmed(6, "ORD-7-1"));
    assert.equal(world.state.outcome.orderId, "ORD-7-1");
  });

  it("shows the kept menu at once and asks with its ETag whether it still holds", async () => {
    const world = await new World().seated();
    world.connection.close();
    world.answers.set("/api/restaurants/7/menu", (headers) => {
      assert.equal(headers["If-None-Match"], '"m1"');
      assert.deepEqual(world.state.menu, MENU);
      return [304, null];
    });
    await world.phone().start();
    assert.deepEqual(world.state.menu, MENU);
  });

  it("during which the order was confirmed shows the confirmation", async () => {
    const world = await new World().seated(snapshot(1, { items: [line("a")] }));
    await world.orderPlaced("ORD-7-1", 2);
    world.connection.close();
    const last_order = { order_id: "ORD-7-1", status: "confirmed", error: null, allow_retry: false, placed_by: ANA, tries: 0 };
    world.answers.set("/api/sessions/session_1/cart", () => [200, snapshot(3, { last_order, order_processing_status: "confirmed" })]);
    world.answers.set("/api/sessions/session_1/orders", () => [200, { orders: [told.orderConfirmed(3, "ORD-7-1").order], next: null }]);
    await world.phone().start();
    await settle();
    assert.equal(world.state.outcome.orderId, "ORD-7-1");
    assert.equal(world.state.outcome.status, "confirmed");
    assert.equal(world.state.outcome.late, false);
  });

  it("after a confirmation that was seen does not show it again", async () => {
    const world = await new World().seated(snapshot(1, { items: [line("a")] }));
    await world.orderPlaced("ORD-7-1", 2);
    await world.say(told.orderConfirmed(3, "ORD-7-1"));
    world.connection.close();
    world.answers.set("/api/sessions/session_1/cart", () => [200, snapshot(3)]);
    await world.phone().start();
    assert.equal(world.state.outcome, null);
  });

  it("to a seat that is over asks for a name, the old one proposed", async () => {
    const world = await new World().seated();
    world.connection.close();
    world.answers.set("/api/sessions/session_1/cart", REFUSED(401, "unauthorized", "This table's session is closed"));
    await world.phone().start();
    assert.equal(world.state.phase, "needs_name");
    assert.equal(world.state.rememberedName, "Ana");
    assert.equal(world.storage.getItem("comanda.seat.demo-1"), null);
  });

  it("works where storage is forbidden, as a first visit", async () => {
    const forbidden = () => {
      throw new Error("SecurityError");
    };
    const world = new World();
    await world.phone({ storage: { getItem: forbidden, setItem: forbidden, removeItem: forbidden }, name: "Ana" }).start();
    assert.equal(world.state.phase, "seated");
  });
});

describe("a lost connection", () => {
  it("says so and tries again within half a second, then is whole again", async () => {
    const world = await new World().seated();
    world.chance = 0.999;
    world.socket.drop();
    assert.equal(world.state.connection, "reconnecting");
    await world.clock.pass(0.5);
    assert.equal(world.sockets.length, 2);
    await world.let(snapshot(4, { items: [line("a")] }));
    assert.equal(world.state.connection, "connected");
    assert.equal(world.state.items.length, 1);
  });

  it("gives an attempt up after the reconnect timeout", async () => {
    const world = await new World().seated();
    world.socket.drop();
    await world.clock.pass(0.5);
    const attempt = world.socket;
    await world.clock.pass(4.7);
    assert.equal(attempt.closed, false);
    await world.clock.pass(0.3);
    assert.equal(attempt.closed, true);
    await world.clock.pass(1);
    assert.equal(world.sockets.length, 3);
  });

  it("pauses longer and longer, and after three failed tries wants a tap", async () => {
    const world = await new World().seated();
    world.networkUp = false;
    world.socket.drop();
    const heard = [];
    world.store.subscribe(({ connection }) => heard.at(-1) !== connection && heard.push(connection));
    await world.clock.pass(20);
    assert.deepEqual(heard, ["reconnecting", "lost"]);
    const tries = world.sockets.length;
    assert.ok(tries >= 4 && tries <= 7, `${tries} sockets in 20 s`);
    world.connection.reconnectNow();
    assert.equal(world.state.connection, "reconnecting");
    assert.equal(world.sockets.length, tries + 1);
  });

  it("goes on by itself when the network or the page comes back", async () => {
    for (const what of ["online", "visible"]) {
      const world = await new World().seated();
      world.networkUp = false;
      world.socket.drop();
      await world.clock.pass(30);
      world.networkUp = true;
      const tries = world.sockets.length;
      world.outside(what);
      assert.equal(world.sockets.length, tries + 1, what);
      await world.let(snapshot(1));
      assert.equal(world.state.connection, "connected");
    }
  });

  it("is noticed at once when the network goes", async () => {
    const world = await new World().seated();
    world.outside("offline");
    assert.equal(world.state.connection, "reconnecting");
    assert.equal(world.socket.closed, true);
  });

  it("is found out by a ping where the server only falls silent", async () => {
    const world = await new World().seated();
    await world.clock.pass(60);
    assert.equal(world.state.connection, "connected");
    world.answersPings = false;
    await world.clock.pass(15);
    assert.deepEqual(world.socket.sent.at(-1), { type: "ping" });
    assert.equal(world.state.connection, "connected");
    await world.clock.pass(5);
    assert.equal(world.state.connection, "reconnecting");
  });

  it("is looked for when the page is seen again after a sleep", async () => {
    const world = await new World().seated();
    world.outside("visible");
    assert.deepEqual(world.socket.sent.at(-1), { type: "ping" });
  });

  it("after a gap in seq is made on purpose, and the snapshot mends it", async () => {
    const world = await new World().seated(snapshot(3));
    const first = world.socket;
    await world.say(told.cartUpdated(5, [line("b")]));
    assert.equal(first.closed, true);
    assert.deepEqual(world.state.items, []);
    await world.clock.pass(0.5);
    await world.let(snapshot(5, { items: [line("a"), line("b")] }));
    assert.equal(world.state.items.length, 2);
  });

  it("refuses edits and orders visibly, and a question about an order", async () => {
    const world = await new World().seated(snapshot(1, { items: [line("a")] }));
    world.socket.drop();
    assert.equal(world.store.addToCart(456).code, "offline");
    assert.equal(world.connection.placeOrder(), false);
    assert.deepEqual(world.texts(), [WORDS.offline]);
    assert.equal(world.connection.resolveNow(), false);
    assert.deepEqual(world.texts(), [WORDS.offline, WORDS.notAsked]);
    assert.equal(world.state.cartLocked, false);
  });

  it("sends what was not answered once more under its old request_id, in order", async () => {
    const world = await new World().seated(snapshot(1, { items: [line("a")] }));
    world.store.updateCartItem("a", { qty: 2 });
    world.store.updateCartItem("a", { qty: 3 });
    await world.ack(world.commands[0], 2);
    world.store.updateCartItem("a", { qty: 4 });
    const unanswered = world.commands.slice(1);
    world.socket.drop();
    assert.equal(world.state.items[0].qty, 4);
    await world.clock.pass(0.5);
    await world.let(snapshot(2, { items: [line("a", { qty: 2 })] }));
    assert.deepEqual(world.commands, unanswered);
    await world.ack(unanswered[0], 3);
    await world.ack(unanswered[1], 4);
    await world.say(told.cartUpdated(3, [line("a", { qty: 3 })]), told.cartUpdated(4, [line("a", { qty: 4 })]));
    assert.equal(world.state.items[0].qty, 4);
    assert.equal(world.state.items[0].unsaved, undefined);
  });

  it("sends an order that was not answered once more, never a second one", async () => {
    const world = await new World().seated(snapshot(1, { items: [line("a")] }));
    world.connection.placeOrder("Quickly");
    const [placed] = world.commands;
    world.socket.drop();
    assert.equal(world.state.cartLocked, true);
    await world.clock.pass(0.5);
    await world.let(processing(2, "ORD-7-1"));
    assert.deepEqual(world.commands, [placed]);
    await world.ack(placed, 2);
    assert.equal(world.state.pendingOrderId, "ORD-7-1");
    assert.equal(world.state.lockedHere, false);
  });

  it("gives a command up that stays without an answer, and says so", async () => {
    const world = await new World().seated(snapshot(1, { items: [line("a")] }));
    world.networkUp = false;
    world.store.updateCartItem("a", { qty: 2 });
    world.connection.placeOrder();
    world.socket.drop();
    await world.clock.pass(61);
    assert.equal(world.state.items[0].qty, 1);
    assert.equal(world.state.cartLocked, false);
    assert.match(world.texts().at(-1), /no answer/);
  });

  it("with an order pending polls the snapshot every two seconds, and not otherwise", async () => {
    const world = await new World().seated(processing(2, "ORD-7-1", BEN));
    world.networkUp = false;
    world.socket.drop();
    world.requests = [];
    await world.clock.pass(6.5);
    assert.equal(world.requests.filter((one) => one.endsWith("/cart")).length, 3);
    world.answers.set("/api/sessions/session_1/cart", () => [200, snapshot(4)]);
    world.networkUp = true;
    await world.clock.pass(2);
    assert.equal(world.state.cartLocked, false);
    world.requests = [];
    await world.clock.pass(10);
    assert.deepEqual(world.requests.filter((one) => one.endsWith("/cart")), []);
  });

  it("hears over HTTP that an order was confirmed meanwhile, and shows it", async () => {
    const world = await new World().seated(processing(2, "ORD-7-1", BEN));
    world.socket.drop();
    world.answers.set("/api/sessions/session_1/cart", () => [200, snapshot(3)]);
    world.answers.set("/api/sessions/session_1/orders", () => [200, { orders: [told.orderConfirmed(3, "ORD-7-1").order], next: null }]);
    await world.clock.pass(2);
    assert.equal(world.state.outcome.orderId, "ORD-7-1");
    assert.equal(world.state.orders.length, 1);
  });

  it("does not take an older snapshot over HTTP", async () => {
    const world = await new World().seated(snapshot(9, { items: [line("a")] }));
    world.answers.set("/api/sessions/session_1/cart", () => [200, snapshot(8)]);
    assert.equal(await world.connection.loadCartSnapshot(), true);
    assert.equal(world.state.seq, 9);
  });

  it("waits as long as a closing server asks", async () => {
    const world = await new World().seated();
    await world.say({ type: "server_closing", retry_after: 4, timestamp: "" });
    world.socket.drop(1012);
    await world.clock.pass(3.9);
    assert.equal(world.sockets.length, 1);
    await world.clock.pass(0.7);
    assert.equal(world.sockets.length, 2);
  });

  it("reads the menu again after it, since a change may have been missed", async () => {
    const world = await new World().seated();
    world.requests = [];
    world.socket.drop();
    await world.clock.pass(0.5);
    await world.let(snapshot(1));
    assert.deepEqual(world.requests.filter((one) => one.endsWith("/menu")).length, 1);
  });

  it("after which the menu has changed back is no trap: a told change ends the ETag", async () => {
    const world = await new World().seated();
    await world.say(told.menuUpdated([{ menu_item_id: 456, price: 625, available: false }]));
    assert.equal(world.state.menu.sections[0].items[0].available, false);
    await world.connection.loadMenu();
    assert.equal(world.state.menu.sections[0].items[0].available, true);
  });

  it("that comes back and breaks again and again is given longer pauses", async () => {
    const world = await new World().seated();
    for (let count = 0; count < 3; count += 1) {
      world.socket.drop();
      await world.clock.pass(0.5);
      await world.let(snapshot(1));
    }
    assert.equal(world.sockets.length, 4);
    world.socket.drop();
    await world.clock.pass(0.5);
    assert.equal(world.sockets.length, 4);
    await world.clock.pass(0.5);
    assert.equal(world.sockets.length, 5);
  });
});

describe("the end", () => {
  it("session_closed says why, forgets the seat and connects no more", async () => {
    const world = await new World().seated();
    await world.say(told.sessionClosed(2, "The table was closed by the staff"));
    assert.equal(world.state.phase, "closed");
    assert.equal(world.state.closedReason, "The table was closed by the staff");
    assert.equal(world.storage.getItem("comanda.seat.demo-1"), null);
    await world.clock.pass(60);
    assert.equal(world.sockets.length, 1);
    assert.equal(await world.connection.join("Ana"), true);
    assert.equal(world.state.closedReason, null);
  });

  it("4410 closes the table; nothing is tried again", async () => {
    const world = await new World().seated();
    world.socket.drop(4410, "session closed");
    await world.clock.pass(60);
    assert.equal(world.state.phase, "closed");
    assert.equal(world.sockets.length, 1);
  });

  it("4401 or 4404 of a seat that HTTP knows no more ends it", async () => {
    for (const code of [4401, 4404]) {
      const world = await new World().seated();
      world.answers.set("/api/sessions/session_1/cart", REFUSED(401, "unauthorized", "The token is not valid"));
      world.socket.drop(code);
      await settle();
      assert.equal(world.state.phase, "closed");
      await world.clock.pass(60);
      assert.equal(world.sockets.length, 1);
    }
  });

  it("4401 of a phone that was only too slow tries again, with a pause", async () => {
    const world = await new World().seated();
    world.socket.drop(4401);
    await settle();
    assert.equal(world.sockets.length, 1);
    await world.clock.pass(1);
    assert.equal(world.sockets.length, 2);
    assert.equal(world.state.phase, "seated");
  });

  it("1008 says why and waits for a tap", async () => {
    const world = await new World().seated();
    world.socket.drop(1008, "Too many connections of this member");
    await world.clock.pass(60);
    assert.deepEqual(world.texts(), ["Too many connections of this member"]);
    assert.equal(world.state.connection, "lost");
    assert.equal(world.sockets.length, 1);
    world.connection.reconnectNow();
    assert.equal(world.sockets.length, 2);
  });

  it("close leaves no timer behind and keeps the seat; leave forgets it", async () => {
    const world = await new World().seated(snapshot(1, { items: [line("a")] }));
    world.connection.placeOrder();
    world.connection.close();
    assert.equal(world.clock.waiting, 0);
    assert.notEqual(world.storage.getItem("comanda.seat.demo-1"), null);
    world.connection.leave();
    assert.equal(world.storage.getItem("comanda.seat.demo-1"), null);
  });

  it("close while sitting down seats nobody, and what is on its way is not heard", async () => {
    const world = new World();
    const started = world.phone({ name: "Ana" }).start();
    world.connection.close();
    await started;
    assert.deepEqual(world.requests, ["GET /api/tables/demo-1"]);
    assert.equal(world.sockets.length, 0);
    assert.deepEqual(await Promise.all([world.connection.loadCartSnapshot(), world.connection.loadOrders()]), [false, false]);
  });

  it("words of the server that belong to no command are shown", async () => {
    const world = await new World().seated();
    await world.say({ type: "error", request_id: null, code: "rate_limited", message: "Slow down", retry_after: 1 });
    assert.deepEqual(world.texts(), ["Slow down"]);
  });

  it("settings of the table hold from the join on", async () => {
    const world = await new World().seated();
    assert.deepEqual(world.state.settings, SETTINGS);
  });
});
