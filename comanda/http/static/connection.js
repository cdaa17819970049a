// A member's connection to their table, for any front end: it sits down, keeps the store of `cart.js`
// true over refreshes, sleep and tunnels, and sends what the member does. No DOM, no framework.

import { createApi } from "./api.js";
import { browserSurroundings } from "./browser.js";
import { ApiError } from "./call.js";
import { WORDS } from "./cart.js";
import { randomId } from "./ids.js";
import { createKept } from "./kept.js";
import { createMenuReader } from "./menu_reader.js";
import { createOrderWatch } from "./order_watch.js";
import { createOthersRetry } from "./others_retry.js";
import { createOutbox } from "./outbox.js";
import { createOutcomes } from "./outcomes.js";
import { createReconnector } from "./reconnector.js";

/** The pause before a table that could not be looked at is tried again. */
const LOOK_AGAIN_MS = 3_000;

/** The last sentence of a command that got no reply in time. */
const NO_REPLY = "There was no answer. Look whether your change is in the cart.";

/**
 * @typedef {object} Surroundings  What is outside, replaced in tests. Each defaults to the browser's.
 * @property {(url: string, init?: object) => Promise<Response>} [fetch]
 * @property {typeof WebSocket} [WebSocket]
 * @property {{getItem: Function, setItem: Function, removeItem: Function}} [storage]  localStorage
 * @property {{now(): number, setTimeout: Function, clearTimeout: Function}} [clock]  milliseconds
 * @property {() => number} [random]  from [0, 1)
 * @property {() => string} [newId]
 * @property {() => boolean} [isVisible]  whether the page is seen now
 * @property {(heard: (what: "online"|"offline"|"visible") => void) => () => void} [listen]  tells when the
 *   network goes or comes and when the page is seen again; gives the function that ends it
 */

/**
 * @typedef {object} Connection
 * @property {() => Promise<void>} start  Come back to the seat kept in storage (specification 4.3), or
 *   ask for a name: `phase` says which. Reads the table and its menu either way. Once.
 * @property {(name: string) => Promise<boolean>} join  Sit down; whether it worked. A notice says why not.
 * @property {() => Promise<boolean>} loadCartSnapshot  The snapshot over HTTP, taken if it is newer;
 *   whether it was read.
 * @property {() => Promise<boolean>} loadMenu  The menu, with its ETag.
 * @property {() => Promise<boolean>} loadOrders  My Orders: the confirmed ones.
 * @property {(specialInstructions?: string) => boolean} placeOrder  Order what the store shows; whether it
 *   was sent. Locks the cart until the server has answered. Ends an automatic retry.
 * @property {() => boolean} resolveNow  Ask now for the outcome of the order in flight.
 * @property {() => void} cancelRetry  The tap that ends the automatic retry.
 * @property {() => void} reconnectNow  The tap: the next attempt at once.
 * @property {() => void} leave  Forget the seat kept in storage, and close.
 * @property {() => void} close  End the websocket and every timer. The seat stays in storage.
 */

/**
 * A connection of `store` to a table; nothing happens before `start()`.
 * @param {{baseUrl: string, tableCode: string, store: object, name?: string} & Surroundings} options
 *   `baseUrl` is the server's address, such as `location.origin`; with a `name` one sits down unasked.
 * @returns {Connection}
 */
export function setupConnection(options) {
  const { baseUrl, tableCode, store, name = null, newId = randomId, ...given } = options;
  const { fetch, WebSocket, storage, clock, random, isVisible, listen } = { ...browserSurroundings(), ...given };
  const api = createApi({ baseUrl, fetch, clock });
  const kept = createKept(storage, tableCode);
  const menu = createMenuReader({ api, store, kept });
  const outbox = createOutbox({ clock, lost: commandLost });
  const outcomes = createOutcomes(store);
  const watch = createOrderWatch({ store, clock, isVisible, isConnected: () => link !== null, place });

  const othersRetry = createOthersRetry({ store, clock });

  let seat = null;
  let reconnector = null;
  let link = null;
  let poll = null; // the timer of the next read of the snapshot while cut off
  let lookAgain = null;
  let ordersSeq = null; // the `seq` at which the confirmed orders were last asked for
  let closed = false;
  let stopListening = () => {};
  let stopFollowing = () => {};

  store.attach({ isConnected: () => link !== null, send });

  // --- Sitting down ---------------------------------------------------------------------------------

  async function start() {
    stopListening = listen(heardOutside);
    stopFollowing = store.subscribe(considerPolling);
    store.set({ rememberedName: kept.name() });
    const known = kept.seat();
    if (known !== null) {
      sit(known);
      await Promise.all([loadCartSnapshot(), menu.load()]);
    } else if (await lookAtTable()) {
      if (name === null) store.set({ phase: "needs_name" });
      await Promise.all([menu.load(), name !== null && join(name)]);
    }
  }

  /** What the QR code leads to, until the server has said it. */
  async function lookAtTable() {
    try {
      const { code, label, restaurant } = await api.table(tableCode);
      store.set({ restaurant, table: { code, label } });
      return !closed;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404) store.set({ phase: "no_table" });
      else await lookLater();
      return error.status !== 404 && !closed && lookAtTable();
    }
  }

  function lookLater() {
    store.set({ connection: "reconnecting" });
    return new Promise((resolve) => {
      const timer = clock.setTimeout(resolve, LOOK_AGAIN_MS);
      lookAgain = () => {
        clock.clearTimeout(timer);
        resolve();
      };
    });
  }

  async function join(newName, pin = null) {
    store.set({ phase: "joining" });
    try {
      const answer = await api.join(tableCode, newName, pin);
      if (closed) return false;
      kept.keepName(newName);
      const { session_pid, member_id, member_token, restaurant, table, settings } = answer;
      sit({ session_pid, member_id, member_token, restaurant, table, settings });
      store.set({ rememberedName: newName, pinNeeded: false });
      await loadCartSnapshot(); // on a connection that is open: there before a websocket is
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const pinNeeded = store.getState().pinNeeded || error.code === "pin_required";
      store.set({ phase: "needs_name", pinNeeded });
      if (error.code !== "pin_required") store.notify("error", error.code, error.message);
      return false;
    }
    return true;
  }

  function sit(newSeat) {
    getUp();
    seat = newSeat;
    kept.keepSeat(seat);
    outcomes.remember(seat.memory ?? {});
    ordersSeq = null;
    const { member_id: memberId, restaurant, table, settings } = seat;
    store.takeSeat({ memberId, restaurant, table, settings });
    store.set({ phase: "seated" });
    const url = websocketUrl(baseUrl, seat.session_pid);
    const owner = { joined, told, over, status };
    const token = seat.member_token;
    reconnector = createReconnector({ url, token, settings: store.getState().settings, owner, WebSocket, clock, random });
    reconnector.start();
  }

  /** End all that belongs to the seat. */
  function getUp() {
    reconnector?.stop();
    reconnector = null;
    link = null;
    outbox.clear();
    watch.forget();
    othersRetry.forget();
    store.forgetCommands();
    clock.clearTimeout(poll);
    poll = null;
  }

  /** The party has left, or the server knows the seat no more. */
  function seatIsOver(reason) {
    const wasHere = store.getState().seq !== null;
    kept.keepSeat(null);
    getUp();
    seat = null;
    store.set({ connection: "idle", phase: wasHere ? "closed" : "needs_name" });
    if (wasHere && store.getState().closedReason === null) store.closeTable(reason);
  }

  // --- Heard from the link --------------------------------------------------------------------------

  function status(connection) {
    if (connection !== "connected") link = null;
    store.set({ connection });
  }

  function joined(newLink, snapshot) {
    link = newLink;
    takeSnapshot(snapshot);
    outbox.sendAgain(link);
    watch.connected();
    menu.load(); // a `menu_updated` may have been missed
  }

  function told(from, message) {
    if (from !== link) return; // cut, and about to end
    switch (message.type) {
      case "ack":
      case "error":
        return replied(message);
      case "cart_snapshot":
        return takeSnapshot(message);
      case "menu_updated":
        return menu.update(message.items);
      case "server_closing":
        return reconnector.serverCloses(message.retry_after);
      case "pong":
        return undefined;
      default:
        return happened(message);
    }
  }

  function happened(event) {
    const show = outcomes.before(event);
    const applied = store.apply(event);
    if (applied === "gap") reconnector.cut();
    if (applied !== "applied") return;
    if (event.type === "order_confirmed") store.loadOrders([event.order]);
    show();
    followed({ bySnapshot: false });
    if (event.type === "session_closed") seatIsOver(event.reason);
  }

  function takeSnapshot(snapshot) {
    store.loadSnapshot(snapshot);
    followed({ bySnapshot: true });
    // At 1 a table has only its first member.
    if (snapshot.seq === 1) outcomes.noneYet();
    else if (ordersSeq !== snapshot.seq) loadOrders();
    remember();
  }

  /** The store has followed the server. */
  function followed({ bySnapshot }) {
    watch.look();
    othersRetry.follow();
    outcomes.look({ bySnapshot });
    remember();
  }

  /** Over a refresh. */
  function remember() {
    const memory = outcomes.memory();
    if (seat === null || JSON.stringify(memory) === JSON.stringify(seat.memory)) return;
    seat = { ...seat, memory };
    kept.keepSeat(seat);
  }

  async function over(end) {
    const reason = end.reason || WORDS.closed;
    if (end.code === 1008) {
      store.notify("error", "policy", reason); // such as a fifth page of one member; a tap tries again
      store.set({ connection: "lost" });
      return;
    }
    // 4401 is also what a very slow phone gets: HTTP says whether the seat is gone.
    if (end.code === 4410) seatIsOver(reason);
    else await loadCartSnapshot();
    reconnector?.goOn();
  }

  function heardOutside(what) {
    if (what === "offline") reconnector?.cut();
    else reconnectNow();
  }

  // --- Commands -------------------------------------------------------------------------------------

  /** The store's edits come here. */
  function send(command) {
    watch.cancelRetry();
    outbox.send(command, link);
  }

  function place(specialInstructions) {
    const command = store.prepareOrder(specialInstructions);
    if (command === null) return false;
    watch.sending(command.request_id, specialInstructions);
    outbox.send(command, link);
    return true;
  }

  function placeOrder(specialInstructions = "") {
    watch.cancelRetry();
    return place(specialInstructions);
  }

  function resolveNow() {
    if (link === null) {
      store.notify("error", "offline", WORDS.notAsked);
      return false;
    }
    outbox.send({ type: "resolve_now", request_id: newId() }, link);
    return true;
  }

  function replied(reply) {
    const command = outbox.take(reply);
    store.replied(reply);
    if (command?.type !== "place_order") return;
    if (reply.type === "ack") watch.acked(reply.request_id, reply.seq);
    else watch.refused(reply.request_id);
    watch.look();
  }

  function commandLost(command) {
    store.replied({ type: "error", request_id: command.request_id, code: "no_reply", message: NO_REPLY });
    watch.refused(command.request_id);
  }

  function reconnectNow() {
    lookAgain?.();
    reconnector?.now();
  }

  // --- HTTP beside the websocket --------------------------------------------------------------------

  async function loadCartSnapshot() {
    const asked = seat;
    if (asked === null) return false;
    try {
      const snapshot = await api.cart(asked.session_pid, asked.member_token);
      const { seq } = store.getState();
      if (seat?.session_pid === asked.session_pid && (seq === null || snapshot.seq > seq)) takeSnapshot(snapshot);
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.seatIsOver && seat?.session_pid === asked.session_pid) seatIsOver(error.message);
      return false;
    }
  }

  async function loadOrders() {
    const asked = seat;
    if (asked === null) return false;
    const { seq } = store.getState();
    ordersSeq = seq;
    try {
      const orders = await api.orders(asked.session_pid, asked.member_token);
      if (seat?.session_pid !== asked.session_pid) return false;
      store.loadOrders(orders);
      if (ordersSeq === seq) outcomes.found(orders); // else a newer answer is on its way
      remember();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      ordersSeq = null; // the next snapshot tries again
      return false;
    }
  }

  /** Specification 5.1: while cut off with an order pending, the snapshot over HTTP. */
  function considerPolling() {
    const { cartLocked, settings } = store.getState();
    if (poll !== null || seat === null || link !== null || !cartLocked) return;
    poll = clock.setTimeout(async () => {
      if (link === null && store.getState().cartLocked) await loadCartSnapshot();
      poll = null;
      considerPolling();
    }, settings.poll_interval_seconds * 1000);
  }

  function close() {
    closed = true;
    stopListening();
    stopFollowing();
    lookAgain?.();
    getUp();
    seat = null; // what is still on its way is no longer heard
  }

  function leave() {
    kept.keepSeat(null);
    close();
  }

  return Object.freeze({
    start,
    join,
    loadCartSnapshot,
    loadMenu: menu.load,
    loadOrders,
    placeOrder,
    resolveNow,
    cancelRetry: watch.cancelRetry,
    reconnectNow,
    leave,
    close,
  });
}

function websocketUrl(baseUrl, sessionPid) {
  const url = new URL(`/ws/sessions/${encodeURIComponent(sessionPid)}`, baseUrl);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
