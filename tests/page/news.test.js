// The sentences about what others do, and how money and people are written.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { colourClass, initials, money } from "../../comanda/http/static/format.js";
import { arrivedLines, newsBetween } from "../../comanda/http/static/news.js";
import { label, note } from "../../comanda/http/static/wording.js";
import { ANA, BEN, line, MEMBERS, processing, seatedStore, snapshot, told } from "./world.js";

/** The sentences that an event makes over `first`. */
function news(first, happens) {
  const { store } = seatedStore();
  store.loadSnapshot(first);
  const before = store.getState();
  if (typeof happens === "function") happens(store);
  else store.apply(happens);
  return newsBetween(before, store.getState());
}

const one = () => snapshot(5, { items: [line("a")] });

describe("what others do", () => {
  it("is told with their name: added, counted, noted, removed", () => {
    assert.deepEqual(news(snapshot(5), told.cartUpdated(6, [line("a", { qty: 2 })])), ["Ben added 2 × Margherita"]);
    assert.deepEqual(news(one(), told.cartUpdated(6, [line("a", { qty: 3 })])), ["Ben changed it to 3 × Margherita"]);
    assert.deepEqual(news(one(), told.cartUpdated(6, [line("a", { note: "hot" })])), ["Ben changed the note on Margherita"]);
    assert.deepEqual(news(one(), told.cartUpdated(6, [], { removed: ["a"] })), ["Ben removed Margherita"]);
  });

  it("is not told of one's own edits", () => {
    assert.deepEqual(news(snapshot(5), told.cartUpdated(6, [line("a")], { by_member: ANA })), []);
  });

  it("marks the lines that they touched", () => {
    const { store } = seatedStore();
    store.loadSnapshot(snapshot(5));
    const before = store.getState();
    assert.equal(arrivedLines(before, before), null);
    store.apply(told.cartUpdated(6, [line("a")]));
    assert.deepEqual([...arrivedLines(before, store.getState())], [["a", "Ben"]]);
  });

  it("is told when somebody joins, but not of whoever was there before the first snapshot", () => {
    const alone = snapshot(5, { members: [MEMBERS[0]] });
    assert.deepEqual(news(alone, told.memberJoined(6, { member_id: BEN, name: "Ben" })), ["Ben joined the table"]);
    const { store } = seatedStore();
    const before = store.getState();
    store.loadSnapshot(one());
    assert.deepEqual(newsBetween(before, store.getState()), []);
  });
});

describe("what the restaurant does", () => {
  it("is told where it matters: sold out always, a price only of what is in the cart", () => {
    const soldOut = [{ menu_item_id: 456, price: 625, available: false }];
    assert.deepEqual(news(snapshot(5), (store) => store.updateMenu(soldOut)), ["Margherita is sold out"]);
    const dearer = [{ menu_item_id: 456, price: 640, available: true }];
    assert.deepEqual(news(snapshot(5), (store) => store.updateMenu(dearer)), []);
    assert.match(news(one(), (store) => store.updateMenu(dearer))[0], /^Margherita now costs .*640/);
  });

  it("is told when the cart opens without an outcome", () => {
    const sentences = news(processing(5, "ORD-7-1"), told.cartUnlocked(6, "ORD-7-1"));
    assert.deepEqual(sentences, ["The cart is open again. The last order is being settled with the staff."]);
  });
});

describe("money and people", () => {
  it("writes as many decimals as the currency has, and any code without breaking", () => {
    assert.match(money(1250, "INR", 2), /1.?250.00/);
    assert.doesNotMatch(money(1250, "JPY", 0), /00/);
    assert.match(money(1250, "no currency", 2), /^1.?250.00$/);
  });

  it("writes a person as one or two letters, whatever the name is", () => {
    assert.equal(initials("Ana"), "A");
    assert.equal(initials("  ana maria de la Vega "), "AV");
    assert.equal(initials("👩‍🍳"), "👩");
    assert.equal(initials(""), "?");
  });

  it("gives a member the same colour everywhere", () => {
    assert.equal(colourClass(ANA), colourClass(ANA));
    const classes = new Set(Array.from({ length: 100 }, (_, number) => colourClass(`member_${number}`)));
    assert.equal(classes.size, 8);
  });
});

describe("a name written from right to left", () => {
  const FATIMA = "فاطمة";

  it("keeps to itself in a sentence, and others stay as they are", () => {
    assert.equal(note.added(FATIMA, 2, "Margherita"), `\u2068${FATIMA}\u2069 added 2 × Margherita`);
    assert.equal(label.orderedBy(FATIMA, "4:06 AM"), `\u2068${FATIMA}\u2069, 4:06 AM`);
    assert.equal(note.added("Ana", 2, "Margherita"), "Ana added 2 × Margherita");
  });
});
