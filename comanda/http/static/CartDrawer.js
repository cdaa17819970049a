// The shared cart: its lines, the special instructions, and the button of specification 8.1.

import { CartLine } from "./CartLine.js";
import { money } from "./format.js";
import { Bag } from "./icons.js";
import { holdsWordsOfOthers, MOST_INSTRUCTIONS } from "./instructions.js";
import { buttonOf, messageOf, placerOf, soldOutLines } from "./order_state.js";
import { tell } from "./passing.js";
import { Sheet } from "./Sheet.js";
import { button, label, note, state as words } from "./wording.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./view.js";

export function CartDrawer({ table, store, connection, isOpen, arrived, instructions, onInstructions, onCheckout }) {
  const isLocked = table.cartLocked;
  const isEmpty = table.items.length === 0;
  const foot = html`<${Foot} table=${table} store=${store} connection=${connection} onCheckout=${onCheckout} />`;
  return html`
    <${Sheet} name="cart" title=${label.cart} isOpen=${isOpen} foot=${foot}>
      <${Doubts} orders=${table.ordersInDoubt} />
      ${isEmpty
        ? html`<div class="empty"><${Bag} /><h3>${label.emptyCart}</h3><p class="soft small">${label.emptyCartWhy}</p></div>`
        : html`<ul class=${isLocked ? "locked" : ""}>
            ${table.items.map((line) => html`
              <li key=${line.public_id}>
                <${CartLine} line=${line} table=${table} store=${store} arrivedFrom=${arrived.get(line.public_id)} />
              </li>`)}
          </ul>
          <label class="field">
            <span>${label.instructions}</span>
            <textarea name="instructions" rows="2" maxlength=${MOST_INSTRUCTIONS} placeholder=${label.instructionsPlaceholder}
              disabled=${isLocked} value=${instructions.text}
              aria-describedby="instructions-why" onInput=${(event) => onInstructions(event.target.value)}></textarea>
          </label>
          <p class="soft small" id="instructions-why">
            ${holdsWordsOfOthers(instructions, table) ? label.instructionsOf(placerOf(table)) : label.instructionsWhy}</p>
          <${Clear} isLocked=${isLocked} onClear=${() => store.clearCart()} />`}
    <//>`;
}

/** Message, total and button: always in sight. */
function Foot({ table, store, connection, onCheckout }) {
  const { text, colour, does } = buttonOf(table);
  const isWaiting = table.cartLocked && !table.orderTimedOut;
  return html`
    <${OrderMessage} table=${table} store=${store} connection=${connection} />
    <p class="sum"><span>${label.total}</span>
      <span class="number">${money(table.total, table.currency, table.minorDigits)}</span></p>
    <button class=${`wide ${colour}`} type="button" disabled=${does === null} onClick=${onCheckout}>
      ${isWaiting && html`<span class="wait" aria-hidden="true"></span>`}<span>${text}</span>
    </button>`;
}

function OrderMessage({ table, store, connection }) {
  const message = messageOf(table);
  if (message === null) return null;
  const { retry } = table;
  return html`
    <div class=${`say ${message.tone}`}>
      <p>${message.text}${message.more && html` <span class="more">${message.more}</span>`}${message.action === "stop" && html` <span class="number">${words.retryIn(retry.secondsLeft)}</span>`}</p>
      ${message.action === "ask" && html`
        <button type="button" onClick=${() => connection.resolveNow() && tell(note.asked)}>${button.askNow}</button>`}
      ${message.action === "stop" && html`
        <button type="button" onClick=${() => connection.cancelRetry()}>${button.stop}</button>`}
      ${message.action === "remove" && html`
        <button type="button" onClick=${() => soldOutLines(table).forEach((line) => store.removeFromCart(line.public_id))}>
          ${button.removeSoldOut}</button>`}
    </div>`;
}

/** Orders that are being settled without the cart. */
const Doubts = ({ orders }) => orders.map((order) => html`
  <div class="say bad" key=${order.order_id}>
    <p><strong>${order.order_id}</strong><br />${doubtText(order)}</p>
  </div>`);

const doubtText = (order) => (order.stage === "needs_staff" ? words.needsStaff : words.inDoubt);

/** Asks once more: it is everybody's cart. */
function Clear({ isLocked, onClear }) {
  const [isAsking, setAsking] = useState(false);
  const cancel = useRef(null);
  useEffect(() => setAsking(false), [isLocked]);
  useLayoutEffect(() => cancel.current?.focus(), [isAsking]);
  if (!isAsking) {
    return html`<p class=${isLocked ? "" : "clear"}><button class="plain" type="button" disabled=${isLocked} onClick=${() => setAsking(true)}>${button.clear}</button></p>`;
  }
  return html`
    <p class="clear">
      <button class="plain" type="button" onClick=${onClear}>${button.clearSurely}</button>
      <button class="plain" type="button" ref=${cancel} onClick=${() => setAsking(false)}>${button.cancel}</button>
    </p>`;
}
