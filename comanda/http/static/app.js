// The table's page: the store and its connection, drawn.

import { CartDrawer } from "./CartDrawer.js";
import { createCartStore } from "./cart.js";
import { setupConnection } from "./connection.js";
import { MenuScreen } from "./MenuScreen.js";
import { MyOrdersDrawer } from "./MyOrdersDrawer.js";
import { Elsewhere, NameSheet } from "./NameSheet.js";
import { Notices } from "./Notices.js";
import { OrderConfirmationSheet } from "./OrderConfirmationSheet.js";
import { arrived, followNews, passing } from "./passing.js";
import { close, openSheet, show, useFocusReturn } from "./Sheet.js";
import { note } from "./wording.js";
import { html, render, signal, useEffect } from "./view.js";

const tableCode = decodeURIComponent(location.pathname.split("/").pop());
const instructionsKey = `comanda.instructions.${tableCode}`;

const store = createCartStore();
const connection = setupConnection({ baseUrl: location.origin, tableCode, store });
const state = signal(store.getState());
const instructions = signal(kept(() => sessionStorage.getItem(instructionsKey)) ?? "");

store.subscribe((table) => {
  state.value = table;
});
instructions.subscribe((text) => kept(() => sessionStorage.setItem(instructionsKey, text)));
followNews(store);

/** Storage may be forbidden: then an unsent wish is lost by a refresh, and nothing else. */
function kept(access) {
  try {
    return access();
  } catch {
    return null;
  }
}

/** Specification 1.B: the cart locks at once; what follows comes from the server. */
function handleCheckout() {
  connection.placeOrder(instructions.value.trim());
}

/** An outcome is shown once: a confirmation as a sheet, a late refusal as a notice. */
function showOutcome({ outcome, lastOrder, memberId }) {
  if (outcome?.status === "confirmed") {
    if (outcome.placedBy === memberId) instructions.value = "";
    show("done");
    return;
  }
  if (outcome === null) return;
  if (lastOrder?.order_id !== outcome.orderId) {
    store.notify("error", "late_failure", note.lateFailed(outcome.orderId, outcome.error));
  }
  store.dismissOutcome();
}

/** The name is asked once; after that a phone sits down unasked. */
function sitDownAgain({ phase, rememberedName }) {
  if (phase === "needs_name" && rememberedName && !hasTried) {
    hasTried = true;
    connection.join(rememberedName);
  }
}
let hasTried = false;

function App() {
  const table = state.value;
  const sheet = table.phase === "seated" ? openSheet.value : null;
  const isAsking = table.phase === "needs_name" || table.phase === "joining";
  const isElsewhere = table.phase === "closed" || table.phase === "no_table";
  const orderId = table.outcome?.orderId ?? null;
  useEffect(() => showOutcome(table), [orderId]);
  useEffect(() => sitDownAgain(table), [table.phase]);
  useEffect(() => {
    if (openSheet.value !== "done" && orderId !== null) store.dismissOutcome();
  }, [openSheet.value]);
  useFocusReturn(sheet, ".bar button");
  const shared = { table, store, connection };
  return html`
    <div class="page" inert=${sheet !== null || isAsking}>
      ${isElsewhere
        ? html`<${Elsewhere} table=${table} onSitDown=${() => connection.join(table.rememberedName)} />`
        : html`<${MenuScreen} ...${shared} />`}
    </div>
    <${CartDrawer} ...${shared} isOpen=${sheet === "cart"} arrived=${arrived.value}
      instructions=${instructions} onCheckout=${handleCheckout} />
    <${MyOrdersDrawer} table=${table} isOpen=${sheet === "orders"} />
    <${OrderConfirmationSheet} table=${table} isOpen=${sheet === "done"} />
    <${NameSheet} table=${table} connection=${connection} />
    <${Notices} table=${table} connection=${connection} passing=${passing.value} />`;
}

render(html`<${App} />`, document.getElementById("app"));
connection.start();
