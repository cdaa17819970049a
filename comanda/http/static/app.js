// The table's page: the store and its connection, drawn.

import { CartDrawer } from "./CartDrawer.js";
import { createCartStore } from "./cart.js";
import { setupConnection } from "./connection.js";
import { Elsewhere } from "./Elsewhere.js";
import { followOrders, NO_INSTRUCTIONS } from "./instructions.js";
import { MenuScreen } from "./MenuScreen.js";
import { MyOrdersDrawer } from "./MyOrdersDrawer.js";
import { NameSheet } from "./NameSheet.js";
import { Notices } from "./Notices.js";
import { OrderConfirmationSheet } from "./OrderConfirmationSheet.js";
import { arrived, followNews, passing } from "./passing.js";
import { openSheet, show, useFocusReturn } from "./Sheet.js";
import { label, note } from "./wording.js";
import { html, render, signal, useEffect } from "./view.js";

const tableCode = decodeURIComponent(location.pathname.split("/").pop());
const instructionsKey = `comanda.written.${tableCode}`;

const store = createCartStore();
const connection = setupConnection({ baseUrl: location.origin, tableCode, store });
const state = signal(store.getState());
const instructions = signal(kept(() => JSON.parse(sessionStorage.getItem(instructionsKey))) ?? NO_INSTRUCTIONS);

store.subscribe((table) => {
  instructions.value = followOrders(instructions.value, table);
  state.value = table;
});
instructions.subscribe((written) => kept(() => sessionStorage.setItem(instructionsKey, JSON.stringify(written))));
store.subscribe(askForName);
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
  connection.placeOrder(instructions.value.text.trim());
}

/** Who changes the words means them: nothing goes out by itself with the old ones. */
function handleInstructions(text) {
  connection.cancelRetry();
  instructions.value = { ...instructions.value, text };
}

/** An outcome is shown once: a confirmation as a sheet, a late refusal as a notice. */
function showOutcome({ outcome, lastOrder }) {
  if (outcome?.status === "confirmed") {
    show("done");
    return;
  }
  if (outcome === null) return;
  if (lastOrder?.order_id !== outcome.orderId) {
    store.notify("error", "late_failure", note.lateFailed(outcome.orderId, outcome.error));
  }
  store.dismissOutcome();
}

/** The name is asked for once; after that a phone joins unasked, and asks again only if that fails. */
function askForName({ phase, rememberedName }) {
  if (phase === "seated") {
    isAsking.value = false;
    joinsUnasked = true;
  } else if (phase === "needs_name" && rememberedName && joinsUnasked) {
    joinsUnasked = false;
    connection.join(rememberedName);
  } else if (phase === "needs_name") {
    isAsking.value = true;
  }
}
const isAsking = signal(false);
let joinsUnasked = true;

function App() {
  const table = state.value;
  const sheet = table.phase === "seated" ? openSheet.value : null;
  const isElsewhere = table.phase === "closed" || table.phase === "no_table";
  const orderId = table.outcome?.orderId ?? null;
  useEffect(() => showOutcome(table), [orderId]);
  useEffect(() => {
    if (openSheet.value !== "done" && orderId !== null) store.dismissOutcome();
  }, [openSheet.value]);
  useEffect(() => {
    if (table.restaurant) document.title = label.title(table.restaurant.name, table.table?.label);
  }, [table.restaurant]);
  useFocusReturn(sheet, ".bar button");
  const shared = { table, store, connection };
  return html`
    <div class="page" inert=${sheet !== null || isAsking.value}>
      ${isElsewhere
        ? html`<${Elsewhere} table=${table} onSitDown=${() => connection.join(table.rememberedName)} />`
        : html`<${MenuScreen} ...${shared} />`}
    </div>
    <${CartDrawer} ...${shared} isOpen=${sheet === "cart"} arrived=${arrived.value}
      instructions=${instructions.value} onInstructions=${handleInstructions} onCheckout=${handleCheckout} />
    <${MyOrdersDrawer} table=${table} isOpen=${sheet === "orders"} />
    <${OrderConfirmationSheet} table=${table} isOpen=${sheet === "done"} />
    <${NameSheet} table=${table} connection=${connection} isOpen=${isAsking.value} />
    <${Notices} table=${table} connection=${connection} passing=${isElsewhere ? [] : passing.value}
      isSheetOpen=${sheet !== null || isAsking.value} />`;
}

render(html`<${App} />`, document.getElementById("app"));
connection.start();
