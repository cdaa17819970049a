// One line of the cart: what, who added it, how many, its note.

import { money } from "./format.js";
import { Avatar } from "./People.js";
import { Stepper } from "./Stepper.js";
import { button, label } from "./wording.js";
import { html, useLayoutEffect, useRef, useState } from "./view.js";

const MOST_NOTE = 280; // the server's bound

export function CartLine({ line, table, store, arrivedFrom }) {
  const [isNoting, setNoting] = useState(false);
  const noteButton = useRef(null);
  const isLocked = table.cartLocked;
  const member = table.members.find((one) => one.member_id === line.added_by);
  const who = line.added_by === table.memberId ? label.you : (member?.name ?? label.someone);
  const cost = (amount) => money(amount, table.currency, table.minorDigits);
  const noteWords = line.note ? button.changeNote : button.addNote;
  const finish = (text) => {
    if (text !== null && text !== line.note) store.updateCartItem(line.public_id, { note: text });
    setNoting(false);
    requestAnimationFrame(() => noteButton.current?.focus());
  };
  const remove = () => {
    document.getElementById("cart-title").focus({ preventScroll: true }); // the line goes, and its buttons with it
    store.removeFromCart(line.public_id);
  };
  return html`
    <div class=${`line ${arrivedFrom ? "new" : ""} ${line.unsaved ? "unsaved" : ""}`}>
      <div>
        <h3>${line.name}</h3>
        <p class="who soft small">
          <${Avatar} small member=${{ member_id: line.added_by, name: member?.name }} />
          ${arrivedFrom ? label.justNow(arrivedFrom) : label.addedBy(who)}
        </p>
      </div>
      <p class="cost number">${cost(line.unit_price * line.qty)}</p>
      ${!line.available && html`<p><span class="tag bad">${label.soldOutInCart}</span></p>`}
      ${line.note && !isNoting && html`<p class="said small">${line.note}</p>`}
      ${isNoting
        ? html`<${NoteForm} line=${line} isLocked=${isLocked} onDone=${finish} />`
        : html`<div class="tools">
            <button class="plain small" type="button" ref=${noteButton} disabled=${isLocked}
              aria-label=${button.noteFor(noteWords, line.name)} onClick=${() => setNoting(true)}>${noteWords}</button>
            <${Stepper} name=${line.name} qty=${line.qty} isLocked=${isLocked} canAdd=${line.available}
              onChange=${(qty) => store.updateCartItem(line.public_id, { qty })}
              onRemove=${remove} />
          </div>`}
    </div>`;
}

/** `onDone` gets the text, or null when the guest changed their mind. What is written outlasts a lock. */
function NoteForm({ line, isLocked, onDone }) {
  const field = useRef(null);
  useLayoutEffect(() => field.current.focus(), []);
  const onSubmit = (event) => {
    event.preventDefault();
    onDone(field.current.value.trim());
  };
  const onKeyDown = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault(); // closes the form and not the cart
    onDone(null);
  };
  return html`
    <form class="note-form" onSubmit=${onSubmit} onKeyDown=${onKeyDown}>
      <label class="small soft" for=${`note-${line.public_id}`}>${label.noteOn(line.name)}</label>
      <input class="whole" id=${`note-${line.public_id}`} ref=${field} maxlength=${MOST_NOTE} defaultValue=${line.note}
        placeholder=${label.notePlaceholder} autocomplete="off" enterkeyhint="done" name="note" disabled=${isLocked} />
      <button class="plain" type="submit" disabled=${isLocked}>${button.saveNote}</button>
      <button class="plain" type="button" onClick=${() => onDone(null)}>${button.cancel}</button>
    </form>`;
}
