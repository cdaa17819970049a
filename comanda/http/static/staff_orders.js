// Which orders want somebody, which are on their way, which are over. Pure.

const ON_ITS_WAY = ["prepared", "sent", "unknown"];

/** The incidents of an order that nobody has closed. */
export const standing = (order) => order.incidents.filter((one) => one.closed_at === null);

/** Whether somebody must look after this order. */
export const needsStaff = (order) => order.state === "needs_staff" || standing(order).length > 0;

/** Whether the server takes the staff's word on it now: an order that is on its way must arrive first. */
export const canBeSettled = (order) => needsStaff(order) && !ON_ITS_WAY.includes(order.state);

/** All orders once, in three heaps: what waits, the oldest first; what is on its way; what is over. */
export function sorted(orders) {
  const once = [...new Map(orders.map((order) => [order.order_id, order])).values()];
  once.sort((one, other) => other.order_number - one.order_number);
  const calm = once.filter((order) => !needsStaff(order));
  return {
    waiting: once.filter(needsStaff).reverse(),
    onTheirWay: calm.filter((order) => ON_ITS_WAY.includes(order.state)),
    over: calm.filter((order) => !ON_ITS_WAY.includes(order.state)),
  };
}

/** The ids of orders that wait now and did not before. `before` null: nothing is known of before. */
export function newlyWaiting(before, waiting) {
  if (before === null) return [];
  const known = new Set(before.map((order) => order.order_id));
  return waiting.filter((order) => !known.has(order.order_id));
}
