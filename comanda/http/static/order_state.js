// What the table's state means for the button and the message under the cart. Pure.

import { button, label, state as words } from "./wording.js";

/** Whose order locks the cart, by name. */
export const locker = (table) => table.lockedByName || label.someone;

/** The four states of specification 8.1. `does` is what a tap does: "order" or nothing. */
export function buttonOf(table) {
  if (table.lockedByOthers) return { text: button.byOther(locker(table)), colour: "gray", does: null };
  if (table.cartLocked) return { text: button.pending, colour: "gray", does: null };
  const can = table.items.length > 0 && soldOutLines(table).length === 0;
  if (mayRetry(table)) return { text: button.retry, colour: "orange", does: can ? "order" : null };
  return { text: button.place, colour: can ? "green" : "gray", does: can ? "order" : null };
}

/** The lines that keep the cart from being ordered. */
export const soldOutLines = (table) => table.items.filter((line) => !line.available);

const hasFailed = (table) => table.lastOrder?.status === "failed" && table.orderProcessingStatus === "failed";
const mayRetry = (table) => hasFailed(table) && table.lastOrder.allow_retry;

/**
 * The sentence about the order, null where there is nothing to say. `action`: "ask", "stop", "remove" or null.
 * `more` says whose order failed, where it was another member's; else it is "".
 */
export function messageOf(table) {
  if (table.cartLocked) return lockedMessage(table);
  const soldOut = soldOutLines(table);
  if (soldOut.length > 0) return say("bad", words.soldOut([...new Set(soldOut.map((line) => line.name))]), "remove");
  if (!hasFailed(table)) return null;
  const { error } = table.lastOrder;
  const more = failureOfOthers(table);
  if (!mayRetry(table)) return say("bad", words.failedForGood(error), null, more);
  return say("bad", words.failed(error), table.retry === null ? null : "stop", more);
}

/** A phone that is away retries nothing. */
function failureOfOthers(table) {
  if (table.lastOrder.placed_by === table.memberId) return "";
  const name = placerOf(table);
  const isOnline = table.members.some((one) => one.member_id === table.lastOrder.placed_by && one.online);
  return table.retryElsewhere && isOnline ? words.failedAndMayComeAgain(name) : words.failedOf(name);
}

/** Who placed the last order, by name. */
export function placerOf({ lastOrder, members }) {
  return members.find((one) => one.member_id === lastOrder.placed_by)?.name || label.someone;
}

/** All of it as one text, for who hears it. */
export function spokenOf(table) {
  const message = messageOf(table);
  return message === null ? "" : `${message.text} ${message.more}`.trim();
}

function lockedMessage(table) {
  const stage = table.pendingOrder?.stage;
  const mine = !table.lockedByOthers;
  if (mine && table.orderTimedOut) return say("bad", words.timedOut, "ask");
  const whose = mine ? "" : `${words.lockedBy(locker(table))}. `;
  if (stage === "unknown") return say("bad", `${whose}${words.unknown}`, "ask");
  if (stage === "pending") return say("calm", `${whose}${words.accepted}`);
  return say("calm", mine ? words.processing : words.lockedBy(locker(table)));
}

const say = (tone, text, action = null, more = "") => ({ tone, text, action, more });

/** What the bar at the bottom says about the order: the cart's own label where there is nothing. */
export function barOf(table) {
  if (table.cartLocked) return { text: button.cartPending, colour: "gray" };
  if (hasFailed(table)) return { text: button.cartFailed, colour: mayRetry(table) ? "orange" : "quiet" };
  if (table.items.length === 0 && table.ordersInDoubt.length > 0) return { text: button.cartInDoubt, colour: "quiet" };
  return { text: button.cart, colour: table.items.length > 0 ? "green" : "quiet" };
}
