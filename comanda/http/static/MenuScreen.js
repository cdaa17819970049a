// The menu, who is at the table, and the bar that leads to the cart.

import { money } from "./format.js";
import { Plus, Receipt } from "./icons.js";
import { barOf } from "./order_state.js";
import { People } from "./People.js";
import { show } from "./Sheet.js";
import { Stepper } from "./Stepper.js";
import { button, label } from "./wording.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./view.js";

export function MenuScreen({ table, store }) {
  const { menu, restaurant, orders, members, memberId, joinPin } = table;
  return html`
    <header class="head">
      <h1>${restaurant?.name ?? html`<span class="bone title"></span>`}</h1>
      <p class="soft">${table.table ? label.table(table.table.label) : html`<span class="bone cash"></span>`}</p>
      <button class="orders-button" type="button" onClick=${() => show("orders")}>
        <${Receipt} /> ${button.orders}${orders.length > 0 && html` <span class="tag good number">${orders.length}</span>`}
      </button>
      <${People} members=${members} memberId=${memberId} />
      ${joinPin !== null && html`<p class="pin small">${label.pinIs} <strong class="number">${joinPin}</strong>${label.pinFor}</p>`}
    </header>
    ${menu === null
      ? html`<${Bones} />`
      : html`<${Sections} sections=${menu.sections} />
        <main>
          ${menu.sections.map((section, index) => html`
            <section class="section" id=${`section-${index}`} key=${section.name} aria-labelledby=${`title-${index}`}>
              <h2 id=${`title-${index}`} tabindex="-1">${section.name}</h2>
              <ul>
                ${section.items.map((item) => html`
                  <li key=${item.menu_item_id}><${Dish} item=${item} table=${table} store=${store} /></li>`)}
              </ul>
            </section>`)}
        </main>`}
    <${Bar} table=${table} />`;
}

/** One dish. The stepper counts this guest's own line without a note; a tag counts them all where there are more. */
function Dish({ item, table, store }) {
  const lines = table.items.filter((line) => line.menu_item_id === item.menu_item_id);
  const inCart = lines.reduce((sum, line) => sum + line.qty, 0);
  const mine = lines.find((line) => line.added_by === table.memberId && line.note === "");
  const isLocked = table.cartLocked || !isAtTable(table);
  const dish = useRef(null);
  const hasActed = useRef(false);
  const act = (edit) => {
    hasActed.current = true;
    edit();
  };
  useLayoutEffect(() => {
    // The first one and the last one change the buttons: the focus stays with the dish.
    if (hasActed.current) dish.current.querySelector("button:last-of-type").focus({ preventScroll: true });
    hasActed.current = false;
  }, [mine === undefined]);
  return html`
    <article class=${`dish ${item.available ? "" : "gone"}`} ref=${dish}>
      <div>
        <h3>${item.name}</h3>
        ${item.description && html`<p class="soft small">${item.description}</p>`}
        <p class="price">
          <span class="number">${money(item.price, table.currency, table.minorDigits)}</span>
          ${!item.available && html`<span class="tag bad">${label.soldOut}</span>`}
          ${inCart > (mine?.qty ?? 0) && html`<span class="tag good number">${label.inCart(inCart)}</span>`}
        </p>
      </div>
      ${mine
        ? html`<${Stepper} name=${item.name} qty=${mine.qty} isLocked=${isLocked} canAdd=${item.available}
            onChange=${(qty) => store.updateCartItem(mine.public_id, { qty })}
            onRemove=${() => act(() => store.removeFromCart(mine.public_id))} />`
        : html`<button class="round" type="button" disabled=${isLocked || !item.available}
            aria-label=${button.add(item.name)} onClick=${() => act(() => store.addToCart(item.menu_item_id))}><${Plus} /></button>`}
    </article>`;
}

/** Before the first connection there is no cart to add to; later, an edit without one is refused in words. */
const isAtTable = ({ phase, connection }) => phase === "seated" && connection !== "idle" && connection !== "connecting";

/** The sections' names; the one that is being read is marked. */
function Sections({ sections }) {
  const [current, setCurrent] = useState(0);
  useEffect(() => watchSections(sections.length, setCurrent), [sections.length]);
  useEffect(() => {
    const link = document.querySelector(".sections a[aria-current]");
    const list = link?.closest("ul"); // `scrollIntoView` would move the page as well
    list?.scrollTo({ left: link.offsetLeft - (list.clientWidth - link.offsetWidth) / 2 });
  }, [current]);
  const go = (event, index) => {
    event.preventDefault();
    document.getElementById(`section-${index}`).scrollIntoView();
    document.getElementById(`title-${index}`).focus({ preventScroll: true });
  };
  return html`
    <nav class="sections" aria-label=${label.sections}>
      <ul>
        ${sections.map((section, index) => html`
          <li key=${section.name}>
            <a href=${`#section-${index}`} aria-current=${index === current ? "true" : undefined}
              onClick=${(event) => go(event, index)}>${section.name}</a>
          </li>`)}
      </ul>
    </nav>`;
}

/** Tell which section's top has passed the upper third of the screen; gives the function that ends it. */
function watchSections(count, tell) {
  const seen = () => {
    let current = 0;
    for (let index = 0; index < count; index += 1) {
      const top = document.getElementById(`section-${index}`)?.getBoundingClientRect().top;
      if (top !== undefined && top < innerHeight / 3) current = index;
    }
    tell(current);
  };
  addEventListener("scroll", seen, { passive: true });
  return () => removeEventListener("scroll", seen);
}

/** As index.html draws it before there is a script. */
const Bones = () => html`
  <div class="sections"></div>
  <main class="bones" aria-busy="true" aria-label=${label.menu}></main>`;

function Bar({ table }) {
  const count = table.items.reduce((sum, line) => sum + line.qty, 0);
  const { text, colour } = barOf(table);
  const total = money(table.total, table.currency, table.minorDigits);
  return html`
    <div class="bar">
      <button class=${`wide ${colour}`} type="button" onClick=${() => show("cart")}>
        <span class="count number">${count}<span class="unseen"> ${label.dishes(count)}, </span></span>
        <span>${text}</span>
        <span class="number">${total}</span>
      </button>
    </div>`;
}
