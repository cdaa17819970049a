// An order's lines and its total, as the server keeps them.

import { money } from "./format.js";
import { label } from "./wording.js";
import { html } from "./view.js";

export function OrderLines({ lines, total, currency, digits }) {
  return html`
    <ul class="order-lines">
      ${lines.map((line) => html`
        <li class="order-line" key=${line.public_id}>
          <span class="number soft">${line.qty} ×</span>
          <span>${line.name}</span>
          <span class="number">${money(line.line_total ?? line.unit_price * line.qty, currency, digits)}</span>
          ${line.note && html`<span class="said soft small">${line.note}</span>`}
        </li>`)}
    </ul>
    ${total !== undefined && html`
      <p class="sum"><span>${label.total}</span><span class="number">${money(total, currency, digits)}</span></p>`}`;
}
