// The cart store of the specification (1.A): one table as one member sees it, for any front end.
// Pure: no DOM, no framework, no network, no clock. `connection.js` feeds it and sends what it hands out.

import { cartState, isLocked, minorDigitsOf } from "./cart_state.js";
import { randomId } from "./ids.js";
import { emptyTable, follow, fromSnapshot, placeInSequence } from "./table_state.js";

/** The words of the guards; the server's own where it would refuse the same. */
export const WORDS = Object.freeze({
  locked: "Order already being processed",
  offline: "You are offline. Nothing was changed; try again when the connection is back.",
  notAsked: "You are offline. The restaurant cannot be asked now.",
  empty: "The cart is empty",
  closed: "The table is closed",
  busy: "Too many changes at once; wait a moment",
});

/** The specification's defaults (section 7); the join answer brings the table's own. */
export const DEFAULT_SETTINGS = Object.freeze({
  order_timeout_seconds: 10,
  reconnect_timeout_seconds: 5,
  poll_interval_seconds: 2,
  retry_limit: 3,
  retry_delay_seconds: 2,
});

/** Half of the request ids that the server remembers for a member: a resend always finds its own. */
export const MAX_COMMANDS_IN_FLIGHT = 128;

/** Notices kept until somebody dismisses them; more would only cover the page. */
export const MAX_NOTICES = 3;

/**
 * A result of the guarded methods: taken, or refused (then a notice says why).
 * @typedef {{ok: true, requestId: string, publicId?: string} | {ok: false, code: string, message: string}} Result
 */

/**
 * A store. `settings` are the client settings until the connection brings the table's own; `newId` makes
 * ids (for tests); `report` gets what a listener throws, by default as an uncaught error.
 * @param {{settings?: object, newId?: () => string, report?: (error: unknown) => void}} [options]
 */
export function createCartStore({ settings = DEFAULT_SETTINGS, newId = randomId, report = throwLater } = {}) {
  let table = emptyTable();
  let edits = []; // sent, not yet part of `table`; oldest first
  let here = { locked: false, status: null }; // the lock of here, before the server has heard of it
  let around = {
    settings: Object.freeze({ ...settings }),
    memberId: null,
    restaurant: null,
    table: null,
    menu: null,
    orders: [],
    phase: "starting",
    rememberedName: "",
    pinNeeded: false,
    connection: "idle",
    orderTimedOut: false,
    retry: null,
    retryElsewhere: false,
    outcome: null,
    lastEdit: null,
    notices: [],
  };
  let transport = null;
  let menuItems = new Map();
  let lastNotice = 0;
  let state = null;
  const listeners = new Set();

  function changed() {
    state = null;
    for (const listener of [...listeners]) tell(listener);
  }

  /** A listener's fault is reported, and is neither the next one's nor the connection's. */
  function tell(listener) {
    try {
      listener(getState());
    } catch (error) {
      report(error);
    }
  }

  function set(changes) {
    around = { ...around, ...changes };
    changed();
  }

  /** @returns {import("./cart_state.js").CartState} */
  function getState() {
    state ??= cartState({ table, edits, here, around, menuItem: (id) => menuItems.get(id) });
    return state;
  }

  function refuse(code, message) {
    notify("error", code, message);
    return { ok: false, code, message };
  }

  /** Why nothing can be sent now; null where it can. */
  function obstacle() {
    if (table.closed_reason !== null) return ["session_closed", WORDS.closed];
    if (isLocked(table, here)) return ["cart_locked", WORDS.locked];
    if (transport === null || !transport.isConnected()) return ["offline", WORDS.offline];
    if (edits.length >= MAX_COMMANDS_IN_FLIGHT) return ["too_busy", WORDS.busy];
    return null;
  }

  function edit(command) {
    const why = obstacle();
    if (why !== null) return refuse(...why);
    const requestId = newId();
    edits = [...edits, { ...command, requestId, ackedSeq: null }];
    changed();
    transport.send({ ...command, request_id: requestId });
    return { ok: true, requestId };
  }

  /** Drop the edits that the server's state holds by now. */
  function settleEdits() {
    edits = edits.filter((one) => one.ackedSeq === null || table.seq === null || table.seq < one.ackedSeq);
  }

  function notify(tone, code, text) {
    lastNotice += 1;
    const others = around.notices.filter((notice) => notice.text !== text);
    const notices = [...others, { id: lastNotice, tone, code, text }].slice(-MAX_NOTICES);
    set({ notices });
  }

  return Object.freeze({
    getState,

    /** Hear of every change; gives the function that ends it. @param {(state: object) => void} listener */
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    // --- The specification's methods ---------------------------------------------------------------

    /** Lock the cart here, before the server has heard of it. */
    lockCart() {
      here = { ...here, locked: true };
      changed();
    },

    /** Take the lock of here back, and the status that went with it. The server's lock stays. */
    unlockCart() {
      here = { locked: false, status: null };
      changed();
    },

    /** `orderId` is being processed. @param {string} orderId */
    setPendingOrder(orderId) {
      if (table.pending_order?.order_id === orderId) return;
      const pending = { stage: "sent", attempt: 0, placed_by: null, placed_at: null, lock_ends_at: null };
      table = { ...table, pending_order: { order_id: orderId, ...pending } };
      changed();
    },

    /** No order is being processed. */
    clearPendingOrder() {
      table = { ...table, pending_order: null, locked_by_member: null, locked_by_name: null };
      changed();
    },

    /** Show `status` until the server tells another, or `unlockCart()`. */
    setOrderProcessingStatus(status) {
      here = { ...here, status };
      changed();
    },

    /**
     * Add a line. It shows at once, and is taken back with a notice if the server refuses.
     * @param {number} menuItemId @param {{qty?: number, note?: string}} [options] @returns {Result}
     */
    addToCart(menuItemId, { qty = 1, note = "" } = {}) {
      const publicId = newId();
      const result = edit({ type: "add_item", menu_item_id: menuItemId, qty, note, public_id: publicId });
      return result.ok ? { ...result, publicId } : result;
    },

    /** Change a line's quantity, its note, or both. @param {{qty?: number, note?: string}} change @returns {Result} */
    updateCartItem(publicId, change) {
      return edit({ type: "update_item", public_id: publicId, ...change });
    },

    /** Take a line out. @param {string} publicId @returns {Result} */
    removeFromCart(publicId) {
      return edit({ type: "remove_item", public_id: publicId });
    },

    /** Take every line out. @returns {Result} */
    clearCart() {
      return edit({ type: "clear_cart" });
    },

    /**
     * The `place_order` command for what is seen here, under a new `request_id`; locks the cart, since the
     * caller (the connection) is about to send it. Null where it is refused; a notice says why.
     * @param {string} specialInstructions
     */
    prepareOrder(specialInstructions) {
      const { items, total } = getState();
      const why = obstacle() ?? (items.length === 0 ? ["cart_empty", WORDS.empty] : null);
      if (why !== null) {
        refuse(...why);
        return null;
      }
      here = { locked: true, status: "processing" };
      changed();
      return {
        type: "place_order",
        request_id: newId(),
        cart_items: items.map(({ public_id, menu_item_id, qty, note }) => ({ public_id, menu_item_id, qty, note })),
        total,
        special_instructions: specialInstructions,
      };
    },

    /** Take a notice away. @param {number} id */
    dismissNotice(id) {
      set({ notices: around.notices.filter((notice) => notice.id !== id) });
    },

    /** The outcome has been seen. */
    dismissOutcome() {
      set({ outcome: null });
    },

    // --- For the connection ------------------------------------------------------------------------

    /** Where edits go: `isConnected()` and `send(command)`. */
    attach(newTransport) {
      transport = newTransport;
    },

    /** Changes to what lies around the cart: phase, connection, retry, outcome … */
    set,

    /** Tell the person something. @param {"error"|"info"} tone */
    notify,

    /** This phone's seat: `memberId`, and `restaurant`, `table`, `settings` as the join answer has them. */
    takeSeat({ memberId, restaurant, table: place, settings: given }) {
      table = emptyTable();
      edits = [];
      here = { locked: false, status: null };
      const settings = Object.freeze({ ...DEFAULT_SETTINGS, ...given });
      set({ memberId, restaurant, table: place, settings, orders: [], outcome: null, lastEdit: null });
    },

    /** Take a snapshot. The lock of here stays until its command is answered. */
    loadSnapshot(snapshot) {
      table = { ...fromSnapshot(snapshot), closed_reason: table.closed_reason };
      if (!here.locked) here = { locked: false, status: null };
      settleEdits();
      changed();
    },

    /**
     * Follow an event. Gives "applied", "stale" (known already, dropped) or "gap": then nothing has
     * changed, and only a snapshot helps.
     */
    apply(event) {
      const place = placeInSequence(table, event);
      if (place !== "next") return place;
      table = follow(table, event, minorDigitsOf(around));
      const ownLock = event.type === "cart_locked" && event.locked_by_member === around.memberId;
      if (ownLock || !here.locked) here = { locked: false, status: null };
      if (event.type === "cart_updated") takeEditor(event);
      settleEdits();
      changed();
      return "applied";
    },

    /** Take an `ack` or `error`: an edit is kept until the state holds it, or taken back. */
    replied(reply) {
      if (reply.type === "ack") {
        edits = edits.map((one) => (one.requestId === reply.request_id ? { ...one, ackedSeq: reply.seq } : one));
        settleEdits();
        changed();
        return;
      }
      edits = edits.filter((one) => one.requestId !== reply.request_id);
      notify("error", reply.code, reply.message);
    },

    /** The table is closed, as this phone hears without an event. */
    closeTable(reason) {
      table = { ...table, closed_reason: reason };
      changed();
    },

    /** Take the menu as the server gives it. */
    loadMenu,

    /** Take the items of a `menu_updated`: prices and what is sold out. */
    updateMenu(items) {
      if (around.menu === null) return;
      const news = new Map(items.map((item) => [item.menu_item_id, item]));
      const merged = (item) => ({ ...item, ...news.get(item.menu_item_id) });
      const sections = around.menu.sections.map((one) => ({ ...one, items: one.items.map(merged) }));
      loadMenu({ ...around.menu, sections });
    },

    /** Take confirmed orders; those known already and not among them are kept. */
    loadOrders(orders) {
      const fetched = new Set(orders.map((order) => order.order_id));
      const kept = around.orders.filter((order) => !fetched.has(order.order_id));
      set({ orders: [...orders, ...kept].sort((one, other) => other.order_number - one.order_number) });
    },

    /** Forget edits and the lock of here: their replies will not come. */
    forgetCommands() {
      edits = [];
      here = { locked: false, status: null };
      changed();
    },
  });

  function loadMenu(menu) {
    const items = menu.sections.flatMap((section) => section.items);
    menuItems = new Map(items.map((item) => [item.menu_item_id, item]));
    set({ menu });
  }

  function takeEditor(event) {
    if (event.by_member === null || event.by_member === around.memberId) return;
    const editor = table.members.find((member) => member.member_id === event.by_member);
    const publicIds = event.items.map((item) => item.public_id);
    const lastEdit = { byMember: event.by_member, byName: editor?.name ?? "", publicIds, seq: event.seq };
    around = { ...around, lastEdit };
  }
}

function throwLater(error) {
  queueMicrotask(() => {
    throw error;
  });
}
