// What passes by at the top: the connection, refusals, what others do. Screen readers hear all of it.

import { spokenOf } from "./order_state.js";
import { button, label, state as words } from "./wording.js";
import { html } from "./view.js";

export function Notices({ table, connection, passing, isSheetOpen }) {
  const isAway = ["reconnecting", "lost"].includes(table.connection);
  return html`
    <div class="notices">
      <div role="status">
        ${isAway && html`<p class="notice">
          ${table.connection === "lost"
            ? html`<span>${words.gone}</span> <button type="button" onClick=${() => connection.reconnectNow()}>${button.reconnect}</button>`
            : words.lost}
        </p>`}
      </div>
      <div role="alert">
        ${table.notices.filter((one) => one.tone === "error").map((one) => html`<p class="notice bad" key=${one.id}>${one.text}</p>`)}
      </div>
      <div role="status" class=${isSheetOpen ? "news" : "news low"}>
        ${table.notices.filter((one) => one.tone !== "error").map((one) => html`<p class="notice" key=${one.id}>${one.text}</p>`)}
        ${passing.map((one) => html`<p class="notice" key=${one.id}>${one.text}</p>`)}
      </div>
    </div>
    <p class="unseen" role="status">${table.phase === "closed" ? label.closed : spokenOf(table)}</p>`;
}
