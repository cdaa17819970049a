// The staff's page without a screen: which orders wait, what a price is, how the desk keeps looking.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../comanda/http/static/call.js";
import { createStaffApi } from "../../comanda/http/static/staff_api.js";
import { createDesk } from "../../comanda/http/static/staff_desk.js";
import { canBeSettled, newlyWaiting, sorted } from "../../comanda/http/static/staff_orders.js";
import { priceOf } from "../../comanda/http/static/staff_price.js";

const STANDING = [{ kind: "key_reused", closed_at: null }];
const CLOSED = [{ kind: "key_reused", closed_at: "2024-01-15T10:30:00Z" }];

const order = (number, state, incidents = []) => ({ order_id: `ORD-7-${number}`, order_number: number, state, incidents });
const numbers = (orders) => orders.map((one) => one.order_number);

test("what waits comes once, the oldest first; the rest the newest first", () => {
  const waits = order(2, "needs_staff");
  const heaps = sorted([
    order(6, "sent"),
    order(5, "confirmed"),
    order(4, "confirmed", STANDING),
    order(3, "rejected", CLOSED),
    waits,
    order(1, "unknown"),
    waits,
  ]);
  assert.deepEqual(numbers(heaps.waiting), [2, 4]);
  assert.deepEqual(numbers(heaps.onTheirWay), [6, 1]);
  assert.deepEqual(numbers(heaps.over), [5, 3]);
});

test("an order that is on its way waits with its incident, but nobody can settle it yet", () => {
  const travelling = order(1, "unknown", STANDING);
  assert.deepEqual(numbers(sorted([travelling]).waiting), [1]);
  assert.equal(canBeSettled(travelling), false);
  assert.equal(canBeSettled(order(1, "rejected", STANDING)), true);
  assert.equal(canBeSettled(order(1, "rejected", CLOSED)), false);
});

test("only what waits since the last look is news, and nothing is at the first", () => {
  const [one, two] = [order(1, "needs_staff"), order(2, "needs_staff")];
  assert.deepEqual(newlyWaiting(null, [one]), []);
  assert.deepEqual(newlyWaiting([one], [one, two]), [two]);
});

test("a price has the currency's decimals at most; a comma will do", () => {
  assert.equal(priceOf(" 640 ", 2), 640);
  assert.equal(priceOf("640,5", 2), 640.5);
  assert.equal(priceOf("0.05", 2), 0.05);
  assert.equal(priceOf("900", 0), 900);
  for (const text of ["", "6x", "-1", "1.234", "1e3", ".5", "1.", "1 000", "123456789012"]) assert.equal(priceOf(text, 2), null, text);
  assert.equal(priceOf("9.5", 0), null);
});

/** A desk whose timer and server are the test's. */
function deskInTest(answers = {}) {
  const told = [];
  const timers = [];
  const api = {
    looks: 0,
    tables: async () => {
      api.looks += 1;
      return [];
    },
    menu: async () => [],
    orders: async () => ({ orders: [], next: null }),
    waiting: async () => [],
    ...answers,
  };
  const clock = { setTimeout: (run, ms) => timers.push({ run, ms }), clearTimeout: () => {} };
  const desk = createDesk({ api, restaurantId: 7, clock, tell: (state) => told.push(state) });
  return { desk, api, told, timers };
}

test("a look that fails keeps what was known and says why; the next mends it", async () => {
  let orders = async () => ({ orders: [order(1, "sent")], next: null });
  const { desk, told, timers } = deskInTest({ orders: () => orders() });
  await desk.refresh();
  orders = async () => {
    throw new ApiError(0, "no_connection", "gone");
  };
  await timers.at(-1).run();
  assert.equal(told.at(-1).problem.message, "gone");
  assert.deepEqual(numbers(told.at(-1).orders.onTheirWay), [1]);
  orders = async () => ({ orders: [], next: null });
  await timers.at(-1).run();
  assert.equal(told.at(-1).problem, null);
  assert.deepEqual(told.at(-1).orders.onTheirWay, []);
  assert.equal(timers.at(-1).ms, 2000);
});

test("a look that was under way when something was done is followed by another", async () => {
  let answer;
  const slow = new Promise((resolve) => {
    answer = resolve;
  });
  const { desk, api } = deskInTest({ menu: () => slow });
  desk.start();
  const refreshed = desk.refresh();
  answer([]);
  await refreshed;
  assert.equal(api.looks, 2);
});

test("one page of orders is shown, the next by its cursor, with what waits on every page", async () => {
  const pages = { first: { orders: [order(9, "confirmed")], next: "second" }, second: { orders: [order(3, "confirmed")], next: null } };
  const orders = async (_, cursor) => pages[cursor ?? "first"];
  const { desk, told } = deskInTest({ orders, waiting: async () => [order(1, "needs_staff")] });
  const shown = () => {
    const { orders: heaps, older, isOlder } = told.at(-1);
    return [numbers(heaps.over), numbers(heaps.waiting), older, isOlder];
  };
  await desk.refresh();
  assert.deepEqual(shown(), [[9], [1], "second", false]);
  await desk.turn("second");
  assert.deepEqual(shown(), [[3], [1], null, true]);
  await desk.refresh(); // it stays there
  assert.deepEqual(shown(), [[3], [1], null, true]);
  await desk.turn(null);
  assert.deepEqual(shown(), [[9], [1], "second", false]);
});

test("a page that was asked for before another was wanted is not shown any more", async () => {
  const answers = [];
  const orders = (_, cursor) => new Promise((resolve) => answers.push(() => resolve({ orders: [order(cursor === null ? 9 : 3, "sent")], next: "x" })));
  const { desk, told } = deskInTest({ orders });
  desk.start();
  const turned = desk.turn("x");
  answers[0]();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(told, []);
  answers[1]();
  await turned;
  assert.deepEqual(numbers(told.at(-1).orders.onTheirWay), [3]);
});

test("no more answers are remembered than a page and the one before it ask for", async () => {
  const asked = [];
  const fetch = async (url, { headers }) => {
    asked.push([new URL(url).search, headers["If-None-Match"]]);
    return { ok: true, status: 200, json: async () => ({ tables: [], orders: [], next: null }), headers: new Headers({ ETag: '"1"' }) };
  };
  const api = createStaffApi({ baseUrl: "http://x", fetch, clock: globalThis, token: "t" });
  for (const cursor of [null, "a", "b", "c", "d", "e", "f", "g", "h", null, "h"]) {
    await api.tables(7); // asked for with every page: the others go first
    await api.orders(7, cursor);
  }
  const etagsFor = (search) => asked.filter((one) => one[0] === search).map((one) => one[1]);
  assert.deepEqual(etagsFor(""), [undefined, ...Array(10).fill('"1"')]);
  assert.deepEqual(etagsFor("?limit=50"), [undefined, undefined]);
  assert.deepEqual(etagsFor("?limit=50&cursor=h"), [undefined, '"1"']);
});

test("a desk that is closed tells nothing more and looks no more", async () => {
  const { desk, told, timers } = deskInTest();
  desk.start();
  desk.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([told.length, timers.length], [0, 0]);
});

test("what has not changed is taken from the last answer", async () => {
  const asked = [];
  const fetch = async (url, { headers }) => {
    asked.push(headers);
    if (headers["If-None-Match"] === '"1"') return { ok: false, status: 304, headers: new Headers() };
    return { ok: true, status: 200, json: async () => ({ tables: ["T1"] }), headers: new Headers({ ETag: '"1"' }) };
  };
  const api = createStaffApi({ baseUrl: "http://x", fetch, clock: globalThis, token: "secret" });
  const first = await api.tables(7);
  assert.equal(await api.tables(7), first);
  assert.equal(asked[1]["If-None-Match"], '"1"');
  assert.equal(asked[0].Authorization, "Bearer secret");
});

test("a refusal says what the server says, silence says that there is no connection", async () => {
  const refused = async () => ({ ok: false, status: 409, json: async () => ({ code: "conflict", detail: "Settled already" }) });
  const silent = async () => {
    throw new TypeError("network");
  };
  const said = (fetch) => createStaffApi({ baseUrl: "http://x", fetch, clock: globalThis, token: "t" }).close("s");
  await assert.rejects(said(refused), { status: 409, message: "Settled already" });
  await assert.rejects(said(silent), { status: 0 });
});
