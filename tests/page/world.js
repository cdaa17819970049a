// What the page's tests share: a clock that the test moves, a server played by the test, one phone.

import { createCartStore } from "../../comanda/http/static/cart.js";
import { setupConnection } from "../../comanda/http/static/connection.js";

export const ANA = "member_ana";
export const BEN = "member_ben";
export const RESTAURANT = { id: 7, name: "Trattoria", currency: "INR", minor_digits: 2 };
export const TABLE = { code: "demo-1", label: "T1" };
export const MENU = {
  restaurant_id: 7,
  sections: [
    {
      name: "Pizza",
      items: [
        { menu_item_id: 456, name: "Margherita", description: "", price: 625, available: true },
        { menu_item_id: 458, name: "Diavola", description: "", price: 740.1, available: true },
      ],
    },
  ],
};
export const MEMBERS = [
  { member_id: ANA, name: "Ana", online: true },
  { member_id: BEN, name: "Ben", online: true },
];
export const SETTINGS = {
  order_timeout_seconds: 10,
  reconnect_timeout_seconds: 5,
  poll_interval_seconds: 2,
  retry_limit: 3,
  retry_delay_seconds: 2,
};
const AT = "2024-01-15T10:30:00Z";

export function line(publicId, more = {}) {
  const item = { public_id: publicId, menu_item_id: 456, name: "Margherita", unit_price: 625, qty: 1, note: "" };
  return { ...item, state: "pending", available: true, added_by: ANA, ...more };
}

export function snapshot(seq, more = {}) {
  const items = more.items ?? [];
  return {
    type: "cart_snapshot",
    session_pid: "session_1",
    seq,
    items,
    total: items.reduce((sum, one) => sum + one.unit_price * one.qty, 0),
    currency: "INR",
    cart_locked: false,
    locked_by_member: null,
    locked_by_name: null,
    pending_order_id: null,
    order_processing_status: "idle",
    pending_order: null,
    orders_in_doubt: [],
    last_order: null,
    members: MEMBERS,
    last_updated: AT,
    ...more,
  };
}

/** A snapshot while `member`'s order `orderId` is being processed. */
export function processing(seq, orderId, member = ANA, items = [line("a", { state: "locked" })]) {
  const pending_order = { order_id: orderId, stage: "sent", attempt: 1, placed_by: member, placed_at: AT, lock_ends_at: AT };
  return snapshot(seq, {
    items,
    cart_locked: true,
    locked_by_member: member,
    locked_by_name: member === ANA ? "Ana" : "Ben",
    pending_order_id: orderId,
    order_processing_status: "processing",
    pending_order,
  });
}

export function order(orderId, more = {}) {
  const order_number = Number(orderId.split("-")[2]);
  return { order_id: orderId, order_number, state: "confirmed", placed_by: ANA, lines: [], total: 625, special_instructions: "", ...more };
}

export const told = {
  cartUpdated: (seq, items, more = {}) => ({
    type: "cart_updated",
    seq,
    by_member: BEN,
    items,
    removed: [],
    total: items.reduce((sum, one) => sum + one.unit_price * one.qty, 0),
    timestamp: AT,
    ...more,
  }),
  cartLocked: (seq, orderId, member = ANA) => ({
    type: "cart_locked",
    seq,
    locked_by_member: member,
    locked_by: member,
    locked_by_name: member === ANA ? "Ana" : "Ben",
    order_id: orderId,
    message: "Order is being processed...",
    timestamp: AT,
  }),
  orderProcessing: (seq, orderId, stage, attempt = 1) => ({
    type: "order_processing",
    seq,
    order_id: orderId,
    stage,
    attempt,
    lock_ends_at: "2024-01-15T10:31:00Z",
    message: "Your order is being processed...",
    timestamp: AT,
  }),
  orderConfirmed: (seq, orderId, more) => ({
    type: "order_confirmed",
    seq,
    order_id: orderId,
    message: "Order placed successfully!",
    order: order(orderId, more),
    timestamp: AT,
  }),
  orderFailed: (seq, orderId, more = {}) => ({
    type: "order_failed",
    seq,
    order_id: orderId,
    error: "POS system unavailable",
    message: "Order failed. Please try again.",
    allow_retry: true,
    special_instructions: "",
    timestamp: AT,
    ...more,
  }),
  cartUnlocked: (seq, orderId) => ({ type: "cart_unlocked", seq, order_id: orderId, message: "…", timestamp: AT }),
  memberJoined: (seq, member) => ({ type: "member_joined", seq, member, timestamp: AT }),
  presence: (members) => ({ type: "presence", members, timestamp: AT }),
  sessionClosed: (seq, reason) => ({ type: "session_closed", seq, reason, timestamp: AT }),
  menuUpdated: (items) => ({ type: "menu_updated", items, timestamp: AT }),
};

/** A store with a seat and a transport that is connected and keeps what it is given in `sent`. */
export function seatedStore({ connected = true } = {}) {
  let ids = 0;
  const store = createCartStore({ newId: () => `id-${(ids += 1)}` });
  const sent = [];
  const transport = { connected, isConnected: () => transport.connected, send: (command) => sent.push(command) };
  store.attach(transport);
  store.takeSeat({ memberId: ANA, restaurant: RESTAURANT, table: TABLE, settings: SETTINGS });
  store.loadMenu(MENU);
  return { store, sent, transport };
}

/** Time that passes only in `pass`. */
export class Clock {
  #now = 0;
  #timers = new Map();
  #last = 0;

  now = () => this.#now;

  setTimeout = (run, milliseconds = 0) => {
    this.#last += 1;
    this.#timers.set(this.#last, { run, at: this.#now + milliseconds });
    return this.#last;
  };

  clearTimeout = (timer) => this.#timers.delete(timer);

  get waiting() {
    return this.#timers.size;
  }

  async pass(seconds) {
    const end = this.#now + seconds * 1000;
    for (;;) {
      await settle();
      const due = [...this.#timers].filter(([, one]) => one.at <= end).sort(([, one], [, other]) => one.at - other.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.#now = due[1].at;
      due[1].run();
    }
    this.#now = end;
    await settle();
  }
}

/** Every promise that can go on has gone on. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

export class Storage {
  #entries = new Map();
  getItem = (key) => this.#entries.get(key) ?? null;
  setItem = (key, value) => this.#entries.set(key, value);
  removeItem = (key) => this.#entries.delete(key);
}

/** The server as the test plays it, and one phone at its table. */
export class World {
  clock = new Clock();
  storage = new Storage();
  visible = true;
  networkUp = true;
  answersPings = true;
  sockets = []; // every websocket ever opened
  requests = []; // every HTTP request: "GET /api/…"
  bodies = []; // what stood in those that had a body
  answers = new Map(); // path → () => [status, body, headers], or a promise of it
  outside = () => {}; // tells the phone of "online", "offline", "visible"
  chance = 0.5;

  constructor() {
    const join = { session_pid: "session_1", member_id: ANA, member_token: "token-1", ws_url: "ws://x/ws", restaurant: RESTAURANT, table: TABLE, settings: SETTINGS };
    this.answers.set("/api/tables/demo-1", () => [200, { ...TABLE, restaurant: RESTAURANT, session_open: true }]);
    this.answers.set("/api/tables/demo-1/join", () => [201, join]);
    this.answers.set("/api/restaurants/7/menu", (headers) => (headers["If-None-Match"] === '"m1"' ? [304, null] : [200, MENU, { ETag: '"m1"' }]));
    this.answers.set("/api/sessions/session_1/cart", () => [200, snapshot(1)]);
    this.answers.set("/api/sessions/session_1/orders", () => [200, { orders: [], next: null }]);
  }

  phone(options = {}) {
    let ids = 0;
    const newId = () => `id-${(ids += 1)}`;
    this.store = createCartStore({ newId });
    this.connection = setupConnection({
      baseUrl: "http://server.test",
      tableCode: "demo-1",
      store: this.store,
      storage: this.storage,
      clock: this.clock,
      random: () => this.chance,
      newId,
      isVisible: () => this.visible,
      fetch: this.#fetch,
      WebSocket: this.#socketClass(),
      listen: (heard) => {
        this.outside = heard;
        return () => (this.outside = () => {});
      },
      ...options,
    });
    return this.connection;
  }

  /** Ana has sat down and her websocket has joined with `first`. */
  async seated(first = snapshot(1)) {
    this.phone({ name: "Ana" });
    await this.connection.start();
    await this.let(first);
    return this;
  }

  get state() {
    return this.store.getState();
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** Commands sent on the newest websocket, without the join. */
  get commands() {
    return this.socket.sent.filter((one) => one.type !== "join" && one.type !== "ping");
  }

  /** The newest websocket opens and its join is answered. */
  async let(first) {
    await settle();
    this.socket.open();
    this.socket.say(first);
    await settle();
  }

  async say(...messages) {
    for (const message of messages) this.socket.say(message);
    await settle();
  }

  async ack(command, seq) {
    await this.say({ type: "ack", request_id: command.request_id, seq });
  }

  async refuse(command, code, message) {
    await this.say({ type: "error", request_id: command.request_id, code, message });
  }

  /** Put one line into the cart, order it, and let the server lock the cart. Gives the command. */
  async orderPlaced(orderId, seq) {
    this.connection.placeOrder();
    const command = this.commands.at(-1);
    await this.say(told.cartLocked(seq, orderId), { type: "ack", request_id: command.request_id, seq });
    return command;
  }

  texts() {
    return this.state.notices.map((notice) => notice.text);
  }

  #fetch = async (url, { method, headers, body: sent }) => {
    const { pathname } = new URL(url);
    this.requests.push(`${method} ${pathname}`);
    if (sent !== undefined) this.bodies.push(sent);
    if (!this.networkUp) throw new TypeError("Failed to fetch");
    const [status, body, more = {}] = await this.answers.get(pathname)(headers);
    return {
      status,
      ok: status < 300,
      headers: { get: (key) => more[key] ?? null },
      json: async () => structuredClone(body),
    };
  };

  #socketClass() {
    const world = this;
    return class {
      sent = [];
      closed = false;
      constructor(url) {
        this.url = url;
        world.sockets.push(this);
        if (!world.networkUp) world.clock.setTimeout(() => this.onclose?.({ code: 1006, reason: "" }), 0);
      }
      open() {
        this.onopen();
      }
      send(text) {
        const message = JSON.parse(text);
        this.sent.push(message);
        const pong = () => this.say({ type: "pong", request_id: null });
        if (message.type === "ping" && world.answersPings) queueMicrotask(pong);
      }
      say(message) {
        this.onmessage?.({ data: JSON.stringify(message) });
      }
      drop(code = 1006, reason = "") {
        this.onclose?.({ code, reason });
      }
      close() {
        this.closed = true;
      }
    };
  }
}
