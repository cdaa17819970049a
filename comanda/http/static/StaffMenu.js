// The menu: sold out with one tap, prices changed.

import { money } from "./format.js";
import { Failure, useAction, useFocusBack, useFocusOnMount } from "./StaffParts.js";
import { priceOf, typed } from "./staff_price.js";
import { button, label, note } from "./staff_wording.js";
import { html, useState } from "./view.js";

export function StaffMenu({ menu, restaurant, onPatch }) {
  return menu.map((section) => html`
    <section key=${section.name} aria-label=${section.name}>
      <h2>${section.name}</h2>
      <ul class="staff-card staff-items">
        ${section.items.map((item) => html`
          <li key=${item.menu_item_id}><${Item} item=${item} restaurant=${restaurant} onPatch=${onPatch} /></li>`)}
      </ul>
    </section>`);
}

function Item({ item, restaurant, onPatch }) {
  const [isPricing, setPricing] = useState(false);
  const { isBusy, problem, run } = useAction(() => {});
  const opener = useFocusBack(isPricing);
  const { currency, minor_digits: digits } = restaurant;
  return html`
    <div class=${`staff-item ${item.available ? "" : "off"}`}>
      <div>
        <h3>${item.name}</h3>
        <p class="price"><span class="number">${money(item.price, currency, digits)}</span>
          ${!item.available && html` <span class="tag bad">${label.off}</span>`}</p>
      </div>
      <div class="staff-tools">
        <button class="plain" type="button" ref=${opener} disabled=${isPricing} aria-label=${button.priceOf(item.name)}
          onClick=${() => setPricing(true)}>${button.price}</button>
        ${item.available
          ? html`<button class="plain gray" type="button" disabled=${isBusy} aria-label=${button.soldOutOf(item.name)}
              onClick=${() => run(() => onPatch(item.menu_item_id, { available: false }))}>${button.soldOut}</button>`
          : html`<button class="plain quiet" type="button" disabled=${isBusy} aria-label=${button.againOf(item.name)}
              onClick=${() => run(() => onPatch(item.menu_item_id, { available: true }))}>${button.again}</button>`}
      </div>
      ${isPricing && html`<${PriceForm} item=${item} restaurant=${restaurant} onDone=${() => setPricing(false)}
        onSave=${(price) => onPatch(item.menu_item_id, { price })} />`}
      <${Failure} problem=${problem} />
    </div>`;
}

/** The price is shown in the currency's own form while it is typed. */
function PriceForm({ item, restaurant, onSave, onDone }) {
  const { currency, minor_digits: digits } = restaurant;
  const [text, setText] = useState(typed(item.price, digits));
  const { isBusy, problem, run } = useAction(onDone);
  const field = useFocusOnMount();
  const price = priceOf(text, digits);
  const onSubmit = (event) => {
    event.preventDefault();
    if (price === null) field.current.focus();
    else run(() => onSave(price));
  };
  return html`
    <form class="staff-price" noValidate onSubmit=${onSubmit} onKeyDown=${(event) => event.key === "Escape" && onDone()}>
      <label class="field">
        <span class="small">${label.newPrice(item.name)}</span>
        <input ref=${field} name="price" inputmode="decimal" autocomplete="off" value=${text} aria-invalid=${price === null}
          aria-describedby=${`price-${item.menu_item_id}`} onFocus=${(event) => event.target.select()}
          onInput=${(event) => setText(event.target.value)} />
      </label>
      <p class=${`small ${price === null ? "staff-wrong" : "soft"}`} id=${`price-${item.menu_item_id}`} role="status">
        ${price === null ? note.badPrice(digits) : money(price, currency, digits)}</p>
      <${Failure} problem=${problem} />
      <div class="staff-choice">
        <button class="plain quiet" type="button" onClick=${onDone}>${button.cancel}</button>
        <button class="plain green" type="submit" disabled=${isBusy || price === null}>${button.save}</button>
      </div>
    </form>`;
}
