// The tables: who sits there, what their cart costs, what became of their orders.

import { money, time } from "./format.js";
import { Avatar } from "./People.js";
import { Failure, useAction, useFocusBack, useFocusOnMount } from "./StaffParts.js";
import { button, label, note, state as words } from "./staff_wording.js";
import { html, useState } from "./view.js";

export function StaffTables({ tables, restaurant, onClose }) {
  const open = tables.filter((table) => table.party !== null);
  const free = tables.filter((table) => table.party === null);
  return html`
    <h2>${open.length > 0 ? label.open(open.length) : label.noneOpen}</h2>
    <ul class="staff-cards">
      ${open.map((table) => html`
        <li key=${table.party.session_pid}>
          <${OpenTable} table=${table} restaurant=${restaurant} onClose=${onClose} />
        </li>`)}
    </ul>
    ${free.length > 0 && html`
      <h2>${label.free}</h2>
      <ul class="staff-free">${free.map((table) => html`<li key=${table.code} class="tag">${table.label}</li>`)}</ul>`}`;
}

function OpenTable({ table, restaurant, onClose }) {
  const [isAsking, setAsking] = useState(false);
  const opener = useFocusBack(isAsking);
  const { party } = table;
  const title = `table-${table.code}`;
  return html`
    <article class="staff-card" aria-labelledby=${title}>
      <div class="staff-card-head">
        <h3 id=${title}>${label.table(table.label)}</h3>
        <p class="soft small">${label.since(time(party.opened_at))}${party.join_pin && label.pin(party.join_pin)}</p>
      </div>
      ${party.members.length > 0
        ? html`<ul class="staff-people" aria-label=${label.table(table.label)}>
            ${party.members.map((member) => html`
              <li key=${member.member_id} class=${`person ${member.online ? "" : "away"}`}>
                <${Avatar} small member=${member} />
                <span class="name">${member.online ? member.name : label.away(member.name)}</span>
              </li>`)}
          </ul>`
        : html`<p class="soft small">${label.nobody}</p>`}
      <p class="sum"><span>${label.cart}</span>
        <span class="number">${money(party.total, restaurant.currency, restaurant.minor_digits)}</span></p>
      ${party.pending_order && html`<${OrderState} order=${party.pending_order} tone="good" />`}
      ${party.orders_in_doubt.map((order) => html`<${OrderState} key=${order.order_id} order=${order} tone="bad" />`)}
      ${isAsking
        ? html`<${CloseSurely} table=${table} onClose=${onClose} onBack=${() => setAsking(false)} />`
        : html`<button class="plain staff-last" type="button" ref=${opener} aria-label=${`${button.close} ${table.label}`}
            onClick=${() => setAsking(true)}>${button.close}</button>`}
    </article>`;
}

const OrderState = ({ order, tone }) => html`
  <p class="staff-order-state small"><span class="number">${order.order_id}</span>
    <span class=${`tag ${tone}`}>${words[order.state]}</span></p>`;

function CloseSurely({ table, onClose, onBack }) {
  const { isBusy, problem, run } = useAction(() => {});
  const first = useFocusOnMount();
  return html`
    <div class="staff-sure" onKeyDown=${(event) => event.key === "Escape" && onBack()}>
      <p class="small">${note.closeWhat(table.label, table.party.members.length)}</p>
      <${Failure} problem=${problem} />
      <div class="staff-choice">
        <button class="plain quiet" type="button" ref=${first} onClick=${onBack}>${button.keepOpen}</button>
        <button class="plain orange" type="button" disabled=${isBusy}
          onClick=${() => run(() => onClose(table.party.session_pid))}>${button.closeSurely(table.label)}</button>
      </div>
    </div>`;
}
