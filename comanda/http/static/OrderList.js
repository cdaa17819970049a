// The table's orders: the one in progress, those that the staff look after, the confirmed ones and their sum.

import { money, time } from "./format.js";
import { OrderLines } from "./OrderLines.js";
import { messageOf } from "./order_state.js";
import { label, state as words } from "./wording.js";
import { html } from "./view.js";

/** Whether there is anything to list. */
export const hasOrders = ({ orders, ordersInDoubt, pendingOrder }) =>
  orders.length + ordersInDoubt.length > 0 || pendingOrder !== null;

export function OrderList({ table }) {
  const { orders, ordersInDoubt, pendingOrder } = table;
  const isClosed = table.phase === "closed";
  const unsettled = (order) => (order.stage === "needs_staff" ? words.needsStaff : words.inDoubt);
  return html`
    ${pendingOrder && html`
      <${Order} id=${pendingOrder.order_id} tag=${isClosed ? label.doubt : label.inProgress} lines=${table.items} total=${table.total}
        table=${table} says=${isClosed ? words.closedMeanwhile : messageOf(table)?.text}
        placedBy=${pendingOrder.placed_by} at=${pendingOrder.placed_at} />`}
    ${ordersInDoubt.map((order) => html`
      <${Order} key=${order.order_id} id=${order.order_id} tag=${label.doubt} tone="bad" lines=${order.lines}
        table=${table} says=${isClosed ? words.closedMeanwhile : unsettled(order)} />`)}
    ${orders.map((order) => html`
      <${Order} key=${order.order_id} id=${order.order_id} tag=${label.confirmed} tone="good" lines=${order.lines}
        total=${order.total} table=${table} placedBy=${order.placed_by} at=${order.confirmed_at} />`)}`;
}

/** What the confirmed ones cost together. */
export function OrderSum({ table: { orders, currency, minorDigits } }) {
  const sum = orders.reduce((all, order) => all + order.total, 0);
  return html`<p class="sum"><span>${label.tonight}</span><span class="number">${money(sum, currency, minorDigits)}</span></p>`;
}

function Order({ id, tag, tone = "", lines, total, table, says, placedBy, at }) {
  const member = table.members.find((one) => one.member_id === placedBy);
  const who = placedBy === table.memberId ? label.youOrdered : (member?.name ?? placedBy);
  return html`
    <article class="order" aria-label=${`${label.orderId} ${id}`}>
      <div class="order-head"><h3 class="number">${id}</h3><span class=${`tag ${tone}`}>${tag}</span></div>
      ${who && html`<p class="soft small">${label.orderedBy(who, time(at))}</p>`}
      ${says && html`<p class="small">${says}</p>`}
      <${OrderLines} lines=${lines} total=${total} currency=${table.currency} digits=${table.minorDigits} />
    </article>`;
}
