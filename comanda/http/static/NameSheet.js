// Asked once on a phone and remembered.

import { Sheet } from "./Sheet.js";
import { button, label } from "./wording.js";
import { html, useEffect, useRef } from "./view.js";

const LONGEST_NAME = 40; // the server's bound

export function NameSheet({ table, connection, isOpen }) {
  const field = useRef(null);
  const isJoining = table.phase === "joining";
  useEffect(() => {
    if (isOpen && !isJoining) field.current.focus({ preventScroll: true });
  }, [isOpen, isJoining]);
  const onSubmit = (event) => {
    event.preventDefault();
    const name = field.current.value.trim();
    if (name) {
      connection.join(name);
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
        <p class="field">
          <button class="wide green" type="submit" disabled=${isJoining}>${isJoining ? button.joining : button.join}</button>
        </p>
      </form>
    <//>`;
}
