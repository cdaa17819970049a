// The special instructions that a guest is writing, and those that a failed order brings back: whoever at
// the table retries it sends its words again. Pure.

/** The server's bound. */
export const MOST_INSTRUCTIONS = 500;

/**
 * @typedef {object} Instructions
 * @property {string} text  What stands in the field.
 * @property {string|null} orderId  The newest order whose end was followed here.
 * @property {string} broughtBack  Its words, where it has failed and they were put into the field.
 * @property {string|null} sentWith  This guest's order that was being processed last: it has the text.
 */

/** Nothing written, nothing followed. @type {Instructions} */
export const NO_INSTRUCTIONS = Object.freeze({ text: "", orderId: null, broughtBack: "", sentWith: null });

/** After the table has changed. The very same object where nothing follows from it. */
export function followOrders(before, { lastOrder, pendingOrder, ordersInDoubt, orders, memberId }) {
  const isMine = pendingOrder !== null && pendingOrder.placed_by === memberId;
  if (isMine && pendingOrder.order_id !== before.sentWith) return { ...before, sentWith: pendingOrder.order_id };
  const goesOn = [...ordersInDoubt, ...orders].some((order) => order.order_id === before.sentWith);
  if (goesOn) return { ...before, text: "", sentWith: null };
  if (lastOrder === null || lastOrder.order_id === before.orderId) return before;
  return { ...before, ...afterEnd(before, lastOrder, memberId), orderId: lastOrder.order_id };
}

/** A failed order's words come into the field; a confirmed one's leave it. */
function afterEnd({ text, broughtBack }, { status, placed_by: placedBy, special_instructions: words }, memberId) {
  if (status === "failed" && text.includes(words)) return { broughtBack: words };
  const own = without(text, broughtBack);
  if (status === "failed") return { text: together(words, own), broughtBack: words };
  return { text: placedBy === memberId ? "" : own, broughtBack: "" };
}

/** Whether the field holds the words of another member's order that has failed. */
export function holdsWordsOfOthers({ text, orderId, broughtBack }, { lastOrder, memberId }) {
  if (lastOrder?.order_id !== orderId || lastOrder.placed_by === memberId) return false;
  return broughtBack !== "" && text.includes(broughtBack);
}

/** Both. What this guest has written is kept where there is no room for both. */
function together(words, own) {
  const both = own === "" ? words : `${words}\n${own}`;
  return [...both].length <= MOST_INSTRUCTIONS ? both : own;
}

const without = (text, words) => (words === "" ? text : text.replace(words, () => "").trim());
