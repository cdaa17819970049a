// Instead of the menu: there is no such table, or the party has left.

import { Receipt } from "./icons.js";
import { hasOrders, OrderList, OrderSum } from "./OrderList.js";
import { button, label } from "./wording.js";
import { html, useLayoutEffect } from "./view.js";

export function Elsewhere({ table, onSitDown }) {
  const isClosed = table.phase === "closed";
  useLayoutEffect(() => scrollTo({ top: 0, behavior: "instant" }), []); // the menu may have been scrolled
  return html`
    <main class="elsewhere">
      <div class="empty">
        <${Receipt} />
        <h1>${isClosed ? label.closed : label.noTable}</h1>
        <p class="soft">${isClosed ? label.closedWhy : label.noTableWhy}</p>
        ${isClosed && html`<p class="field"><button class="wide green" type="button" onClick=${onSitDown}>${button.joinAgain}</button></p>`}
      </div>
      ${isClosed && hasOrders(table) && html`<${Remembered} table=${table} />`}
    </main>`;
}

/** The server tells nobody any more what was ordered: it is what this phone has seen. */
const Remembered = ({ table }) => html`
  <section class="remembered" aria-labelledby="remembered">
    <h2 id="remembered">${label.closedOrders}</h2>
    <${OrderList} table=${table} />
    ${table.orders.length > 0 && html`<${OrderSum} table=${table} />`}
  </section>`;
