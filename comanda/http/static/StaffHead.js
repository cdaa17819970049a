// The top of the staff's page: which restaurant, which section, how to leave.

import { button, label, tab } from "./staff_wording.js";
import { html } from "./view.js";

export function StaffHead({ restaurants, restaurant, section, waiting, onRestaurant, onSignOut }) {
  return html`
    <header class="staff-head no-print">
      ${restaurants.length > 1
        ? html`<h1 class="unseen">${label.title}</h1>
            <label class="staff-house"><span class="unseen">${label.restaurant}</span>
            <select value=${restaurant.id} onChange=${(event) => onRestaurant(Number(event.target.value))}>
              ${restaurants.map((one) => html`<option key=${one.id} value=${one.id}>${one.name}</option>`)}
            </select></label>`
        : html`<h1>${restaurant.name}</h1>`}
      <button class="plain" type="button" onClick=${onSignOut}>${button.signOut}</button>
    </header>
    <nav class="sections staff-tabs no-print" aria-label=${label.sections}>
      <ul>
        ${Object.entries(tab).map(([name, text]) => html`
          <li key=${name}>
            <a href=${`#${name}`} aria-current=${name === section ? "page" : undefined}>${text}${name === "orders" && waiting > 0 && html` <span class="staff-count number">${waiting}</span>`}</a>
          </li>`)}
      </ul>
    </nav>`;
}
