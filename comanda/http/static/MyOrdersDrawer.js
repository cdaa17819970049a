// My Orders: all that the table has ordered.

import { Receipt } from "./icons.js";
import { hasOrders, OrderList, OrderSum } from "./OrderList.js";
import { Sheet } from "./Sheet.js";
import { label } from "./wording.js";
import { html } from "./view.js";

export function MyOrdersDrawer({ table, isOpen }) {
  const foot = table.orders.length > 0 && html`<${OrderSum} table=${table} />`;
  return html`
    <${Sheet} name="orders" title=${label.orders} isOpen=${isOpen} foot=${foot}>
      ${hasOrders(table)
        ? html`<${OrderList} table=${table} />`
        : html`<div class="empty"><${Receipt} /><h3>${label.noOrders}</h3><p class="soft small">${label.noOrdersWhy}</p></div>`}
    <//>`;
}
