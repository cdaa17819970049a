// What a front end reads: one flat object, made of what the server has told, the edits on top, the lock of
// here, and what lies around the cart. Pure.

import { layOver } from "./edits.js";
import { totalOf } from "./table_state.js";

/** Most currencies' decimals; the restaurant says its own. */
const USUAL_MINOR_DIGITS = 2;

/**
 * @typedef {object} CartState  What `getState()` gives. Frozen; a new object after every change, the same
 *   one in between, so it fits `useSyncExternalStore`. What came from the server keeps the protocol's
 *   names (`public_id`, `unit_price`, `lock_ends_at` …); the rest is camelCase.
 * @property {boolean} cartLocked  No edit and no order now: an order is being processed, or was just sent.
 * @property {boolean} lockedHere  An order was sent from here and the server has not answered yet.
 * @property {boolean} lockedByOthers  The order being processed is another member's.
 * @property {string|null} lockedByName  Whose order is being processed.
 * @property {string|null} pendingOrderId  The order being processed, once the server has named it.
 * @property {{order_id: string, stage: string, attempt: number, placed_by: string|null,
 *   placed_at: string|null, lock_ends_at: string|null}|null} pendingOrder  Where it stands. `stage` is
 *   `sent`, `unknown` or `pending`.
 * @property {"idle"|"processing"|"confirmed"|"failed"} orderProcessingStatus
 * @property {boolean} orderTimedOut  This member's order is without an answer for longer than the order
 *   timeout: say so, offer `connection.resolveNow()`.
 * @property {{attempt: number, limit: number, secondsLeft: number}|null} retry  The automatic retry that
 *   is about to come, counting down; `connection.cancelRetry()` stops it.
 * @property {boolean} retryElsewhere  The last order failed, it was another member's, and their phone may
 *   be about to try it again by itself.
 * @property {{order_id: string, status: "confirmed"|"failed", error: string|null, allow_retry: boolean,
 *   placed_by: string, tries: number, special_instructions: string}|null} lastOrder  How the last order
 *   ended; null after an edit.
 * @property {{order_id: string, stage: string, lines: object[]}[]} ordersInDoubt  Orders whose lock ended
 *   before their outcome; the staff look after them.
 * @property {{orderId: string, status: "confirmed"|"failed", error: string|null, late: boolean,
 *   order: object|null, placedBy: string|null}|null} outcome  An outcome to be shown until
 *   `dismissOutcome()`. `failed` only for an order in doubt (`lastOrder` tells the others); its `order` is
 *   null. `late`: after the timeout, or after the cart was opened again.
 * @property {object[]} items  Cart lines as in the snapshot, with this phone's unsaved edits on top
 *   (`unsaved: true`).
 * @property {number} total  Of these lines.
 * @property {string} currency  ISO 4217.
 * @property {number} minorDigits  The currency's decimals.
 * @property {{member_id: string, name: string, online: boolean}[]} members  Who is at the table.
 * @property {string|null} memberId  This member; null before the join.
 * @property {{byMember: string, byName: string, publicIds: string[], seq: number}|null} lastEdit  The
 *   newest edit by another member; `publicIds` are the lines that it added or changed.
 * @property {object[]} orders  The table's confirmed orders, newest first.
 * @property {{restaurant_id: number, sections: {name: string, items: object[]}[]}|null} menu
 * @property {{id: number, name: string, currency: string, minor_digits: number}|null} restaurant
 * @property {{code: string, label: string}|null} table
 * @property {"starting"|"no_table"|"needs_name"|"joining"|"seated"|"closed"} phase  Where this phone is:
 *   `needs_name` wants `connection.join(name)`; `closed` has `closedReason`.
 * @property {string} rememberedName  The name used last; "" for none.
 * @property {boolean} pinNeeded  With `needs_name`: the table asks for its PIN, so `connection.join(name, pin)`.
 * @property {string|null} joinPin  What others must say to sit down here too; show it. Null: nothing.
 * @property {string|null} closedReason
 * @property {"idle"|"connecting"|"connected"|"reconnecting"|"lost"} connection  `reconnecting`:
 *   "Connection lost. Reconnecting..."; `lost`: offer "Tap to reconnect" (`connection.reconnectNow()`).
 * @property {{id: number, tone: "error"|"info", code: string, text: string}[]} notices  To be shown until
 *   `dismissNotice(id)`: refused edits most of all.
 * @property {object} settings  The table's client settings, in the protocol's names.
 * @property {number|null} seq  The server's count of events; null before the first snapshot.
 */

/** @returns {CartState} */
export function cartState({ table, edits, here, around, menuItem }) {
  const minorDigits = minorDigitsOf(around);
  const items = layOver(table.items, edits, around.memberId, menuItem);
  return Object.freeze({
    ...around,
    seq: table.seq,
    items,
    total: edits.length === 0 ? table.total : totalOf(items, minorDigits),
    currency: table.currency || around.restaurant?.currency || "",
    minorDigits,
    members: table.members,
    cartLocked: isLocked(table, here),
    lockedHere: here.locked,
    lockedByOthers: table.pending_order !== null && table.locked_by_member !== around.memberId,
    lockedByName: table.locked_by_name,
    pendingOrder: table.pending_order,
    pendingOrderId: table.pending_order?.order_id ?? null,
    orderProcessingStatus: here.status ?? serversStatus(table),
    lastOrder: table.last_order,
    ordersInDoubt: table.orders_in_doubt,
    closedReason: table.closed_reason,
    joinPin: table.join_pin,
  });
}

/** Nobody edits or orders: the server says so, or an order was just sent from here. */
export function isLocked(table, here) {
  return here.locked || table.pending_order !== null;
}

/** The currency's decimals. */
export function minorDigitsOf(around) {
  return around.restaurant?.minor_digits ?? USUAL_MINOR_DIGITS;
}

function serversStatus(table) {
  if (table.pending_order !== null) return "processing";
  return table.last_order?.status ?? "idle";
}
