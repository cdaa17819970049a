// What is shown for a few seconds and goes by itself: others' edits, refusals.

import { arrivedLines, newsBetween } from "./news.js";
import { signal } from "./view.js";

const NEWS_SECONDS = 4;
const REFUSAL_SECONDS = 7; // a sentence that asks for something wants longer
const ARRIVED_SECONDS = 4;
const MOST_NEWS = 1; // more would cover the menu; the lines themselves show the rest

/** Sentences about what others do: `{id, text}`. */
export const passing = signal([]);

/** The lines that somebody else has just changed: public_id → whose edit. */
export const arrived = signal(new Map());

let lastId = 0;

/** Follow `store`: show what passes by, and let it pass. */
export function followNews(store) {
  let before = store.getState();
  const timed = new Set();
  store.subscribe((after) => {
    newsBetween(before, after).forEach(tell);
    mark(arrivedLines(before, after));
    before = after;
    for (const { id } of after.notices) {
      if (timed.has(id)) continue;
      timed.add(id);
      setTimeout(() => store.dismissNotice(id), REFUSAL_SECONDS * 1000);
    }
  });
}

/** Show a sentence for a moment. */
export function tell(text) {
  lastId += 1;
  const one = { id: lastId, text };
  passing.value = [...passing.value, one].slice(-MOST_NEWS);
  setTimeout(() => {
    passing.value = passing.value.filter((other) => other !== one);
  }, NEWS_SECONDS * 1000);
}

function mark(lines) {
  if (lines === null || lines.size === 0) return;
  arrived.value = new Map([...arrived.value, ...lines]);
  setTimeout(() => {
    // A newer edit of the same line goes with the older one: a highlight that ends early harms nobody.
    arrived.value = new Map([...arrived.value].filter(([id]) => !lines.has(id)));
  }, ARRIVED_SECONDS * 1000);
}
