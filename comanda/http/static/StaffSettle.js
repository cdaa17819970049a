// The staff's word on an order: which it is, why, and a second tap.

import { Failure, useAction, useFocusBack, useFocusOnMount } from "./StaffParts.js";
import { button, label, note } from "./staff_wording.js";
import { html, useRef, useState } from "./view.js";

const MOST_REASON = 200; // the server's bounds
const MOST_REFERENCE = 100;

/** Buttons for an order that waits, and for one whose outcome is final and of which an incident stands. */
const WORDS = {
  needs_staff: {
    why: label.doubtWhy,
    confirmed: [button.has, button.hasSurely],
    rejected: [button.hasNot, button.hasNotSurely],
  },
  settled: {
    why: label.incidentWhy,
    confirmed: [button.foundMade, button.foundSurely],
    rejected: [button.foundNotMade, button.foundSurely],
  },
};

export function StaffSettle({ order, onSettle }) {
  const [outcome, setOutcome] = useState(null);
  const opener = useFocusBack(outcome !== null);
  const words = WORDS[order.state] ?? WORDS.settled;
  if (outcome !== null) {
    return html`<${Surely} order=${order} outcome=${outcome} words=${words[outcome]} onSettle=${onSettle}
      onBack=${() => setOutcome(null)} />`;
  }
  return html`
    <p class="small">${words.why}</p>
    <div class="staff-choice">
      <button class="plain green" type="button" ref=${opener} onClick=${() => setOutcome("confirmed")}>${words.confirmed[0]}</button>
      <button class="plain orange" type="button" onClick=${() => setOutcome("rejected")}>${words.rejected[0]}</button>
    </div>`;
}

function Surely({ order, outcome, words, onSettle, onBack }) {
  const { isBusy, problem, run } = useAction(() => {});
  const [isBlank, setBlank] = useState(false);
  const reason = useFocusOnMount();
  const reference = useRef(null);
  const asksReference = outcome === "confirmed" && order.state === "needs_staff";
  const onSubmit = (event) => {
    event.preventDefault();
    const why = reason.current.value.trim();
    setBlank(why === "");
    if (why === "") {
      reason.current.focus();
      return;
    }
    const name = reference.current?.value.trim() || null;
    run(() => onSettle(order.order_id, { outcome, reason: why, pos_reference: name }));
  };
  return html`
    <form class="staff-sure" noValidate onSubmit=${onSubmit} onKeyDown=${(event) => event.key === "Escape" && onBack()}>
      <p><strong>${words[0]}</strong></p>
      <label class="field">
        <span class="small">${label.reason}</span>
        <input ref=${reason} name="reason" required maxlength=${MOST_REASON} autocomplete="off" aria-invalid=${isBlank} />
      </label>
      ${asksReference && html`
        <label class="field">
          <span class="small">${label.reference}</span>
          <input ref=${reference} name="reference" maxlength=${MOST_REFERENCE} autocomplete="off" />
        </label>`}
      <div role="alert">${isBlank && html`<p class="say bad small">${note.reasonNeeded}</p>`}</div>
      <${Failure} problem=${problem} />
      <div class="staff-choice">
        <button class="plain quiet" type="button" onClick=${onBack}>${button.back}</button>
        <button class=${`plain ${outcome === "confirmed" ? "green" : "orange"}`} type="submit" disabled=${isBusy}>${words[1]}</button>
      </div>
    </form>`;
}
