// The table's confirmed orders, the one in progress, and those that the staff look after.

import { money, time } from "./format.js";
import { Receipt } from "./icons.js";
import { OrderLines } from "./OrderLines.js";
import { messageOf } from "./order_state.js";
import { Sheet } from "./Sheet.js";
import { label, state as words } from "./wording.js";
import { html } from "./view.js";

export function MyOrdersDrawer({ table, isOpen }) {
  const { orders, ordersInDoubt, pendingOrder, currency, minorDigits } = table;
  const sum = orders.reduce((all, order) => all + order.total, 0);
  const isEmpty = orders.length + ordersInDoubt.length === 0 && pendingOrder === null;
  const foot = orders.length > 0 && html`
    <p class="sum"><span>${label.tonight}</span><span class="number">${money(sum, currency, minorDigits)}</span></p>`;
  return html`
    <${Sheet} name="orders" title=${label.orders} isOpen=${isOpen} foot=${foot}>
      ${isEmpty && html`<div class="empty"><${Receipt} /><h3>${label.noOrders}</h3><p class="soft small">${label.noOrdersWhy}</p></div>`}
      ${pendingOrder && html`
        <${Order} id=${pendingOrder.order_id} tag=${label.inProgress} lines=${table.items} total=${table.total}
          table=${table} says=${messageOf(table)?.text} placedBy=${pendingOrder.placed_by} at=${pendingOrder.placed_at} />`}
      ${ordersInDoubt.map((order) => html`
        <${Order} key=${order.order_id} id=${order.order_id} tag=${label.doubt} tone="bad" lines=${order.lines}
          table=${table} says=${order.stage === "needs_staff" ? words.needsStaff : words.inDoubt} />`)}
      ${orders.map((order) => html`
        <${Order} key=${order.order_id} id=${order.order_id} tag=${label.confirmed} tone="good" lines=${order.lines}
          total=${order.total} table=${table} placedBy=${order.placed_by} at=${order.confirmed_at} />`)}
    <//>`;
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
