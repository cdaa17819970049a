// The staff's page: a token, then the tables, the orders, the menu and the QR codes of one restaurant.

import { time } from "./format.js";
import { StaffCodes } from "./StaffCodes.js";
import { StaffHead } from "./StaffHead.js";
import { StaffMenu } from "./StaffMenu.js";
import { StaffOrders } from "./StaffOrders.js";
import { StaffSignIn } from "./StaffSignIn.js";
import { StaffTables } from "./StaffTables.js";
import { browserSurroundings } from "./browser.js";
import { createStaffApi } from "./staff_api.js";
import { createDesk } from "./staff_desk.js";
import { createStaffKept } from "./staff_kept.js";
import { label, note, tab } from "./staff_wording.js";
import { html, render, signal, useEffect } from "./view.js";

const { fetch, clock } = browserSurroundings();
const kept = createStaffKept();

const signedIn = signal(null); // {api, restaurants}
const restaurantId = signal(null);
const door = signal({ isBusy: false, problem: null });
const known = signal(null); // the desk's state
const section = signal(sectionNow());
let desk = null;

addEventListener("hashchange", () => {
  section.value = sectionNow();
  scrollTo(0, 0);
});

function sectionNow() {
  const name = location.hash.slice(1);
  return Object.hasOwn(tab, name) ? name : "tables";
}

/** Knock with a token. A wrong one is said to be wrong, a server that does not answer is not the token's fault. */
async function signIn(token) {
  door.value = { isBusy: true, problem: null };
  const api = createStaffApi({ baseUrl: location.origin, fetch, clock, token });
  try {
    const restaurants = await api.restaurants();
    kept.keepToken(token);
    signedIn.value = { api, restaurants };
    const last = restaurants.find((one) => one.id === kept.restaurantId());
    choose((last ?? restaurants[0]).id);
    door.value = { isBusy: false, problem: null };
  } catch (error) {
    door.value = { isBusy: false, problem: { 401: note.tokenWrong, 403: note.notStaff }[error.status] ?? error.message };
  }
}

function signOut(problem = null) {
  desk?.close();
  kept.forget();
  signedIn.value = null;
  known.value = null;
  door.value = { isBusy: false, problem };
}

function choose(id) {
  desk?.close();
  known.value = null;
  restaurantId.value = id;
  kept.keepRestaurantId(id);
  desk = createDesk({ api: signedIn.value.api, restaurantId: id, clock, tell: take });
  desk.start();
}

/** A token that opens nothing any more leads back to the door. */
function take(state) {
  if ([401, 403].includes(state.problem?.status)) signOut(note.tokenOver);
  else known.value = state;
}

/** What is done shows at once, and not with the next look. */
const done = (call) => async (...given) => {
  await call(...given);
  await desk.refresh();
  if (document.activeElement === document.body) document.querySelector("main")?.focus(); // its button is gone
};

function App() {
  const title = titleNow();
  useEffect(() => {
    document.title = title;
  }, [title]);
  if (signedIn.value === null) return html`<${StaffSignIn} ...${door.value} onToken=${signIn} />`;
  const { api, restaurants } = signedIn.value;
  const restaurant = restaurants.find((one) => one.id === restaurantId.value);
  const waiting = known.value?.orders?.waiting ?? [];
  return html`
    <div class="staff">
      <${StaffHead} restaurants=${restaurants} restaurant=${restaurant} section=${section.value} waiting=${waiting.length}
        onRestaurant=${choose} onSignOut=${() => signOut()} />
      <main tabindex="-1">
        <div class="no-print"><${Warnings} waiting=${waiting} /></div>
        <${Section} key=${`${restaurant.id} ${section.value}`} api=${api} restaurant=${restaurant} />
      </main>
      <p class="unseen" role="alert">${(known.value?.news ?? []).map((order) => note.news(order)).join(" ")}</p>
    </div>`;
}

function titleNow() {
  const waiting = known.value?.orders?.waiting.length ?? 0;
  const name = signedIn.value?.restaurants.find((one) => one.id === restaurantId.value)?.name;
  return `${waiting > 0 ? `(${waiting}) ` : ""}${label.title}${name ? `: ${name}` : ""}`;
}

function Warnings({ waiting }) {
  const { problem, seenAt } = known.value ?? {};
  const stale = problem?.status === 0 && seenAt ? note.stale(time(seenAt)) : problem?.message;
  return html`
    <div role="status">${stale && html`<p class="say staff-warning">${stale}</p>`}</div>
    ${waiting.length > 0 && section.value !== "orders" && html`
      <a class="say bad staff-warning" href="#orders">${note.waiting(waiting.length)}</a>`}`;
}

function Section({ api, restaurant }) {
  const { tables, orders, older, isOlder, menu } = known.value ?? {};
  if (section.value === "codes") {
    return html`<${StaffCodes} restaurant=${restaurant} fetchCodes=${(address) => api.codes(restaurant.id, address)} />`;
  }
  if (!tables) return html`<p class="soft" aria-busy="true">${label.loading}</p>`;
  if (section.value === "orders") {
    const turn = async (cursor) => {
      await desk.turn(cursor);
      scrollTo(0, 0);
      document.querySelector("main")?.focus(); // the button of before is gone, or another's
    };
    return html`<${StaffOrders} orders=${orders} older=${older} isOlder=${isOlder} restaurant=${restaurant}
      onSettle=${done(api.resolve)} onTurn=${turn} />`;
  }
  if (section.value === "menu") {
    const patch = done((itemId, change) => api.patch(restaurant.id, itemId, change));
    return html`<${StaffMenu} menu=${menu} restaurant=${restaurant} onPatch=${patch} />`;
  }
  return html`<${StaffTables} tables=${tables} restaurant=${restaurant} onClose=${done(api.close)} />`;
}

render(html`<${App} />`, document.getElementById("app"));
if (kept.token() !== null) signIn(kept.token());
