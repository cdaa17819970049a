// What the staff's page knows of one restaurant, kept fresh by asking again and again.
//
// It asks because that needs nothing else: after a restart of the server, a tablet's sleep or a lost network
// the next question has the whole truth. What has not changed costs an answer without a body.

import { newlyWaiting, sorted } from "./staff_orders.js";

/** From an answer to the next question. */
const LOOK_EVERY_MS = 2_000;

const NOTHING = { tables: null, orders: null, older: null, isOlder: false, menu: null, news: [], problem: null, seenAt: null };

/**
 * @param {object} options
 * @param {object} options.api as `createStaffApi` gives it.
 * @param {number} options.restaurantId
 * @param {object} options.clock with `now`, `setTimeout` and `clearTimeout`.
 * @param {function} options.tell gets each new state: `tables`, `menu` and `orders` (as `sorted` gives them) are
 *   null until they are known; `older` is the cursor of the page of orders after the one that is shown, null
 *   where there is none; `isOlder` whether that one is not the newest; `news` are orders that have just come to wait for the staff; `problem` is the error
 *   that the last look ended with; `seenAt` is when a look last went well.
 */
export function createDesk({ api, restaurantId, clock, tell }) {
  let state = NOTHING;
  let cursor = null; // of the page of orders that is shown: one at a time, however many there are
  let timer = null;
  let looking = null;
  let isOver = false;

  function become(change) {
    if (isOver) return;
    state = { ...state, ...change };
    tell(state);
  }

  async function lookOnce() {
    const shown = cursor;
    try {
      const [tables, menu, page, waiting] = await Promise.all([
        api.tables(restaurantId),
        api.menu(restaurantId),
        api.orders(restaurantId, shown),
        api.waiting(restaurantId),
      ]);
      if (shown !== cursor) return; // another page is wanted meanwhile, and looked for next
      const orders = sorted([...page.orders, ...waiting]);
      const news = newlyWaiting(state.orders?.waiting ?? null, orders.waiting);
      const paged = { older: page.next, isOlder: shown !== null };
      become({ tables, menu, orders, ...paged, problem: null, seenAt: new Date(), ...(news.length > 0 ? { news } : {}) });
    } catch (problem) {
      become({ problem });
    }
  }

  async function look() {
    clock.clearTimeout(timer);
    looking = lookOnce();
    await looking;
    looking = null;
    if (!isOver) timer = clock.setTimeout(look, LOOK_EVERY_MS);
  }

  /** Look now, after something was done; a look that began before may not have seen it. */
  async function refresh() {
    if (looking !== null) await looking;
    if (!isOver && looking === null) await look();
    else await looking;
  }

  return {
    start: () => void look(),

    refresh,

    /** Show the page of orders after the one that is shown; null: the newest again. */
    async turn(to) {
      cursor = to;
      await refresh();
    },

    close() {
      isOver = true;
      clock.clearTimeout(timer);
    },
  };
}
