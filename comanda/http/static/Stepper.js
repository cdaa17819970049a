// How many: less, the number, more. Less than one removes.

import { button } from "./wording.js";
import { Bin, Minus, Plus } from "./icons.js";
import { html } from "./view.js";

const MOST = 99; // the server's bound for one line

export function Stepper({ name, qty, isLocked, canAdd, onChange, onRemove }) {
  const fewer = qty > 1 ? () => onChange(qty - 1) : onRemove;
  return html`
    <span class="stepper">
      <button class="round" type="button" disabled=${isLocked} onClick=${fewer}
        aria-label=${qty > 1 ? button.fewer(name) : button.remove(name)}>
        <${qty > 1 ? Minus : Bin} />
      </button>
      <span class="number">${qty}</span>
      <button class="round" type="button" disabled=${isLocked || !canAdd || qty >= MOST}
        onClick=${() => onChange(qty + 1)} aria-label=${button.more(name)}>
        <${Plus} />
      </button>
    </span>`;
}
