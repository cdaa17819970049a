// Shown for the server's order and its id, never for what this phone believes.

import { Tick } from "./icons.js";
import { OrderLines } from "./OrderLines.js";
import { Sheet, close, show } from "./Sheet.js";
import { button, label, note, state as words } from "./wording.js";
import { html, useRef } from "./view.js";

export function OrderConfirmationSheet({ table, isOpen }) {
  const { currency, minorDigits } = table;
  const shown = useRef(null); // stays while the sheet slides away
  if (table.outcome?.status === "confirmed") shown.current = table.outcome;
  const outcome = shown.current;
  const order = outcome?.order ?? null;
  const foot = html`
    <button class="wide green" type="button" onClick=${close}>${button.done}</button>
    <p class="centre"><button class="plain" type="button" onClick=${() => show("orders")}>${button.orders}</button></p>`;
  return html`
    <${Sheet} name="done" title=${label.yourOrder} isOpen=${isOpen} foot=${foot}>
      <div class="centre">
        <span class="big-tick"><${Tick} /></span>
        <h3>${words.confirmed}</h3>
        <p class="soft number">${label.orderId} ${outcome?.orderId}</p>
        ${outcome?.late && html`<p class="tag good">${note.lateConfirmed(outcome.orderId)}</p>`}
      </div>
      ${order && html`<${OrderLines} lines=${order.lines} total=${order.total} currency=${currency} digits=${minorDigits} />`}
      ${order?.special_instructions && html`
        <p class="soft small">${label.instructions}: ${order.special_instructions}</p>`}
    <//>`;
}
