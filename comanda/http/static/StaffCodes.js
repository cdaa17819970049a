// The tables' QR codes as a sheet to print and cut.

import { Failure } from "./StaffParts.js";
import { button, label, note } from "./staff_wording.js";
import { html, useEffect, useState } from "./view.js";

/** `fetchCodes(address)` gets the codes; null: for the likeliest address. */
export function StaffCodes({ restaurant, fetchCodes }) {
  const [codes, setCodes] = useState(null);
  const [problem, setProblem] = useState(null);
  const load = async (address) => {
    setProblem(null);
    try {
      setCodes(await fetchCodes(address));
    } catch (error) {
      setProblem(error.message);
    }
  };
  useEffect(() => void load(null), [restaurant.id]);
  if (codes === null) return html`<p class="soft" aria-busy=${problem === null}>${problem === null && label.loading}</p><${Failure} problem=${problem} />`;
  return html`
    <div class="no-print">
      ${!codes.reachable && html`<p class="say bad">${note.codesUnreachable}</p>`}
      <${Failure} problem=${problem} />
      <div class="staff-sheet-tools">
        ${codes.addresses.length > 1
          ? html`<label class="field"><span>${label.address}</span>
              <select value=${codes.address} onChange=${(event) => load(event.target.value)}>
                ${codes.addresses.map((address) => html`<option key=${address} value=${address}>${address}</option>`)}
              </select></label>`
          : html`<p><span class="soft small">${label.address}</span><br />${codes.address}</p>`}
        <button class="wide green" type="button" onClick=${() => print()}>${button.print}</button>
      </div>
      <p class="soft small">${note.sheet}</p>
    </div>
    <ul class="qr-sheet">
      ${codes.codes.map((code) => html`
        <li key=${code.code} class="qr-card">
          <p class="qr-house">${restaurant.name}</p>
          <img src=${`data:image/svg+xml,${encodeURIComponent(code.svg)}`} alt=${label.code(code.label)} />
          <p class="qr-table">${label.table(code.label)}</p>
          <p class="qr-scan">${label.scan}</p>
          <p class="qr-code">${code.code}</p>
          <p class="qr-link">${code.link}</p>
        </li>`)}
    </ul>`;
}
