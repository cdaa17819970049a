// Drawings, as parts of the page: nothing is fetched for them.

import { html } from "./view.js";

const icon = (paths) => () => html`
  <svg class="icon" viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor"
    stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
    ${paths.map((d) => html`<path d=${d} />`)}
  </svg>`;

export const Plus = icon(["M12 5v14", "M5 12h14"]);
export const Minus = icon(["M5 12h14"]);
export const Bin = icon(["M4 7h16", "M9 7V4h6v3", "M6 7l1 13h10l1-13"]);
export const Cross = icon(["M6 6l12 12", "M18 6L6 18"]);
export const Tick = icon(["M5 12.5l5 5L19.5 7"]);
export const Bag = icon(["M5 8h14l1 12H4z", "M9 8V6a3 3 0 0 1 6 0v2"]);
export const Receipt = icon(["M6 3h12v18l-3-2-3 2-3-2-3 2z", "M9 8h6", "M9 12h6"]);
