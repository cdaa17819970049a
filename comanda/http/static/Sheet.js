// Sheets that slide over the page: one at a time, closed by Escape, the cross, the veil or "back".

import { button } from "./wording.js";
import { Cross } from "./icons.js";
import { html, signal, useEffect, useLayoutEffect, useRef } from "./view.js";

/** The sheet that is open: "cart", "orders", "done", or null. */
export const openSheet = signal(restored());

let opener = null; // gets the focus back
let backsOfOurs = 0; // `history.back()` answers later, by a popstate that is not the guest's

/** Open a sheet, in the place of an open one. */
export function show(name) {
  if (openSheet.peek() === name) return;
  if (openSheet.peek() === null) {
    opener = document.activeElement;
    history.pushState({ sheet: name }, "");
  } else {
    history.replaceState({ sheet: name }, "");
  }
  openSheet.value = name;
}

/** Close whatever is open. */
export function close() {
  if (openSheet.peek() === null) return;
  openSheet.value = null;
  backsOfOurs += 1;
  history.back();
}

/** After a refresh: what was open is open again, but for a confirmation, which has been seen. */
function restored() {
  const name = history.state?.sheet ?? null;
  if (name !== "done") return name;
  history.replaceState(null, "");
  return null;
}

addEventListener("popstate", (event) => {
  if (backsOfOurs > 0) {
    backsOfOurs -= 1;
    if (openSheet.peek() !== null) history.pushState({ sheet: openSheet.peek() }, "");
    return;
  }
  const name = event.state?.sheet ?? null;
  openSheet.value = name === "done" ? null : name;
});

/** Gives the focus back when the last sheet has gone. `fallback` gets it if the opener is gone too. */
export function useFocusReturn(name, fallback) {
  useLayoutEffect(() => {
    document.body.classList.toggle("sheet-open", name !== null);
    if (name !== null || opener === null) return;
    const target = opener.isConnected && !opener.disabled ? opener : document.querySelector(fallback);
    opener = null;
    target?.focus({ preventScroll: true });
  }, [name]);
}

/** One sheet. `onClose` null: it cannot be closed. The focus goes to its title. */
export function Sheet({ name, isOpen, title, onClose = close, foot, children }) {
  const heading = useRef(null);
  useEffect(() => {
    if (isOpen && !heading.current.closest(".sheet").contains(document.activeElement)) heading.current.focus({ preventScroll: true });
  }, [isOpen]);
  useEffect(() => {
    if (!isOpen || onClose === null) return undefined;
    const onKeyDown = (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) onClose();
    };
    // The whole page's: a button that is disabled under the focus leaves it nowhere.
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [isOpen, onClose]);
  return html`
    <div class=${`veil ${isOpen ? "open" : ""}`} onClick=${onClose ?? (() => {})}></div>
    <section class=${`sheet ${name}-sheet ${isOpen ? "open" : ""}`} role="dialog" aria-labelledby=${`${name}-title`}
      inert=${!isOpen}>
      <div class="sheet-head">
        <h2 id=${`${name}-title`} tabindex="-1" ref=${heading}>${title}</h2>
        ${onClose && html`<button class="round" type="button" aria-label=${button.close} onClick=${onClose}><${Cross} /></button>`}
      </div>
      <div class="sheet-body" tabindex="0">${children}</div>
      ${foot && html`<div class="sheet-foot">${foot}</div>`}
    </section>`;
}
