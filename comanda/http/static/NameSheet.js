// Asked once on a phone and remembered.

import { Sheet } from "./Sheet.js";
import { button, label } from "./wording.js";
import { html, useEffect, useRef } from "./view.js";

const LONGEST_NAME = 40; // the server's bound

const PIN_DIGITS = 4; // likewise

export function NameSheet({ table, connection, isOpen }) {
  const field = useRef(null);
  const pinField = useRef(null);
  const isJoining = table.phase === "joining";
  useEffect(() => {
    if (isOpen && !isJoining) (pinField.current ?? field.current).focus({ preventScroll: true });
  }, [isOpen, isJoining, table.pinNeeded]);
  const onSubmit = (event) => {
    event.preventDefault();
    const name = field.current.value.trim();
    if (name) {
      connection.join(name, pinField.current?.value ?? null);
      return;
    }
    field.current.value = ""; // spaces alone: the browser says what is missing
    field.current.reportValidity();
  };
  const title = table.restaurant ? label.welcomeAt(table.restaurant.name) : label.welcome;
  return html`
    <${Sheet} name="name" title=${title} isOpen=${isOpen} onClose=${null}>
      <form onSubmit=${onSubmit}>
        ${table.table && html`<p><strong>${label.table(table.table.label)}</strong></p>`}
        <p class="soft">${label.nameWhy}</p>
        <label class="field">
          <span>${label.name}</span>
          <input ref=${field} name="name" required maxlength=${LONGEST_NAME} autocomplete="given-name"
            autocapitalize="words" enterkeyhint="go" defaultValue=${table.rememberedName} disabled=${isJoining} />
        </label>
        ${table.pinNeeded && html`
          <p class="soft" id="pin-why">${label.pinWhy}</p>
          <label class="field">
            <span>${label.pin}</span>
            <input ref=${pinField} name="pin" required inputmode="numeric" pattern=${`[0-9]{${PIN_DIGITS}}`} maxlength=${PIN_DIGITS}
              title=${label.pinShape} aria-describedby="pin-why" autocomplete="off" enterkeyhint="go" disabled=${isJoining} />
          </label>`}
        <p class="field">
          <button class="wide green" type="submit" disabled=${isJoining}>${isJoining ? button.joining : button.join}</button>
        </p>
      </form>
    <//>`;
}
