// Orders by state, those that need somebody first.

import { time } from "./format.js";
import { OrderLines } from "./OrderLines.js";
import { StaffSettle } from "./StaffSettle.js";
import { canBeSettled, needsStaff, standing } from "./staff_orders.js";
import { button, label, note, state as words } from "./staff_wording.js";
import { html } from "./view.js";

const TONES = { needs_staff: "bad", confirmed: "good", unknown: "bad" };

/** `older` and `isOlder` as the desk tells; `onTurn(cursor)` shows another page. */
export function StaffOrders({ orders, older, isOlder, restaurant, onSettle, onTurn }) {
  const heap = (title, list, name) => list.length > 0 && html`
    <section aria-labelledby=${name}>
      <h2 id=${name}>${title}</h2>
      <ul class="staff-cards">
        ${list.map((order) => html`
          <li key=${order.order_id}><${OrderCard} order=${order} restaurant=${restaurant} onSettle=${onSettle} /></li>`)}
      </ul>
    </section>`;
  const count = Object.values(orders).flat().length;
  return html`
    ${count === 0 && html`<p class="empty soft">${label.noOrders}</p>`}
    ${heap(label.waiting, orders.waiting, "waiting")}
    ${heap(label.onTheirWay, orders.onTheirWay, "on-their-way")}
    ${heap(isOlder ? label.older : label.over, orders.over, "over")}
    <p class="staff-pages">
      ${isOlder && html`<button class="plain quiet" type="button" onClick=${() => onTurn(null)}>${button.newest}</button>`}
      ${older !== null && html`<button class="plain quiet" type="button" onClick=${() => onTurn(older)}>${button.older}</button>`}
    </p>`;
}

function OrderCard({ order, restaurant, onSettle }) {
  const isLoud = needsStaff(order);
  return html`
    <article class=${`staff-card ${isLoud ? "loud" : ""}`} aria-label=${label.order(order.order_id)}>
      <div class="staff-card-head">
        <h3>${label.table(order.table)}</h3>
        <span class=${`tag ${TONES[order.state] ?? ""}`}>${words[order.state]}</span>
      </div>
      <p class="soft small"><span class="number">${order.order_id}</span>${" · "}${label.placed(order.placed_by_name, time(order.placed_at))}</p>
      <div class="order-lines-box">
        <${OrderLines} lines=${order.lines} total=${order.total} currency=${restaurant.currency} digits=${restaurant.minor_digits} />
      </div>
      ${order.special_instructions && html`<p class="said small">${order.special_instructions}</p>`}
      ${order.error && html`<p class="small soft">${order.error}</p>`}
      ${order.decided_reason && html`<p class="small soft">${label.decided(order.decided_by, order.decided_reason)}</p>`}
      ${standing(order).map((incident) => html`
        <div class="say bad small" key=${incident.kind}>
          <p><strong>${incident.message}.</strong> ${incident.detail}</p>
        </div>`)}
      ${isLoud && !canBeSettled(order) && html`<p class="small">${note.stillOnItsWay}</p>`}
      ${canBeSettled(order) && html`<${StaffSettle} order=${order} onSettle=${onSettle} />`}
    </article>`;
}
