// What this phone can know of the automatic retry on another: that it may be about to come.
//
// It is not told. It knows the rule, saw the order begin and fail, and does not see a hidden page or a tap
// on "Stop" there: so "may", and only until the retry would have been sent.

import { retryWaitSeconds } from "./retry.js";

/** Keeps the store's `retryElsewhere`. */
export function createOthersRetry({ store, clock }) {
  let begun = null; // {orderId, at}: another member's order, seen from its lock on
  let awaited = null; // {orderId, timer}

  function follow() {
    const state = store.getState();
    if (awaited !== null && !stillAwaited(state)) forget();
    const { pendingOrder, lastOrder, memberId, settings } = state;
    if (pendingOrder !== null) {
      const isSeenBegin = pendingOrder.attempt === 0 && pendingOrder.placed_by !== memberId;
      if (isSeenBegin && begun?.orderId !== pendingOrder.order_id) begun = { orderId: pendingOrder.order_id, at: clock.now() };
      return;
    }
    const { orderId, at } = begun ?? {};
    begun = null;
    if (lastOrder === null || lastOrder.order_id !== orderId) return;
    const wait = retryWaitSeconds(lastOrder, settings, (clock.now() - at) / 1000);
    if (wait !== null) expect(orderId, wait + settings.reconnect_timeout_seconds);
  }

  /** A phone that is cut off when the retry is due waits as long as one attempt to connect takes. */
  function expect(orderId, seconds) {
    awaited = { orderId, timer: clock.setTimeout(forget, seconds * 1000) };
    store.set({ retryElsewhere: true });
  }

  function stillAwaited({ lastOrder, cartLocked }) {
    return lastOrder?.order_id === awaited.orderId && !cartLocked;
  }

  function forget() {
    if (awaited === null) return;
    clock.clearTimeout(awaited.timer);
    awaited = null;
    store.set({ retryElsewhere: false });
  }

  return {
    /** The store has followed the server. */
    follow,

    /** The seat is left. */
    forget() {
      begun = null;
      forget();
    },
  };
}
