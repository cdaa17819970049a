// This member's order from sending to outcome: its timer, and the automatic retry of a failed one
// (specification 4.2, 5.2, 5.4, 7.2).

import { retryWaitSeconds } from "./retry.js";

/**
 * Watches at most one order: a table's cart is locked by one at a time. `place(instructions)` sends the
 * order once more, `isConnected()` says whether that can be done.
 */
export function createOrderWatch({ store, clock, isVisible, isConnected, place }) {
  let placed = null;
  let plan = null;

  const settings = () => store.getState().settings;

  function drop() {
    if (placed === null) return;
    clock.clearTimeout(placed.timer);
    placed = null;
    if (store.getState().orderTimedOut) store.set({ orderTimedOut: false });
  }

  function watch(requestId, instructions) {
    drop();
    const timeoutMs = settings().order_timeout_seconds * 1000;
    const timer = clock.setTimeout(() => store.set({ orderTimedOut: true }), timeoutMs);
    placed = { requestId, instructions, sentAt: clock.now(), orderId: null, ackSeq: null, timer };
  }

  function look() {
    if (plan !== null && !stillHolds()) cancelRetry();
    const state = store.getState();
    const own = state.pendingOrder?.placed_by === state.memberId ? state.pendingOrderId : null;
    if (placed === null) {
      if (own === null || state.memberId === null) return;
      watch(null, null); // another page or device of ours has sent it, or this one before a refresh
    }
    const caughtUp = placed.ackSeq !== null && state.seq >= placed.ackSeq;
    placed.orderId ??= own ?? (caughtUp ? ownLastOrder(state) : null);
    if (caughtUp && state.lockedHere) store.unlockCart();
    if (placed.orderId === null && !caughtUp) return;
    const { lockedHere, pendingOrderId } = store.getState();
    if (lockedHere || (pendingOrderId !== null && pendingOrderId === placed.orderId)) return;
    settled();
  }

  function ownLastOrder({ lastOrder, memberId }) {
    return lastOrder?.placed_by === memberId ? lastOrder.order_id : null;
  }

  function settled() {
    const { instructions, orderId, sentAt } = placed;
    drop();
    const { lastOrder } = store.getState();
    if (instructions === null || lastOrder?.order_id !== orderId) return;
    planRetry(lastOrder, instructions, (clock.now() - sentAt) / 1000);
  }

  function planRetry(lastOrder, instructions, secondsToFailure) {
    const wait = retryWaitSeconds(lastOrder, settings(), secondsToFailure);
    if (wait === null || !isVisible()) return;
    plan = {
      orderId: lastOrder.order_id,
      attempt: lastOrder.tries,
      instructions,
      cart: cartSeen(store.getState()),
      dueAt: clock.now() + wait * 1000,
      timer: null,
    };
    countDown();
  }

  function countDown() {
    const milliseconds = plan.dueAt - clock.now();
    const secondsLeft = Math.max(0, Math.ceil(milliseconds / 1000));
    store.set({ retry: { attempt: plan.attempt, limit: settings().retry_limit, secondsLeft } });
    if (secondsLeft > 0) {
      plan.timer = clock.setTimeout(countDown, milliseconds - (secondsLeft - 1) * 1000);
    } else if (isConnected()) {
      fire();
    } else {
      plan.timer = clock.setTimeout(cancelRetry, settings().reconnect_timeout_seconds * 1000);
    }
  }

  function fire() {
    const { instructions } = plan;
    const orders = isVisible() && stillHolds();
    cancelRetry();
    if (orders) place(instructions);
  }

  function stillHolds() {
    const state = store.getState();
    const last = state.lastOrder;
    const same = last?.order_id === plan.orderId && last.status === "failed";
    return same && !state.cartLocked && state.closedReason === null && cartSeen(state) === plan.cart;
  }

  function cancelRetry() {
    if (plan === null) return;
    clock.clearTimeout(plan.timer);
    plan = null;
    store.set({ retry: null });
  }

  return {
    /** `place_order` is about to be sent: its timer runs from now. */
    sending: (requestId, instructions) => watch(requestId, instructions),

    /** The server has taken the command. */
    acked(requestId, seq) {
      if (placed?.requestId === requestId) placed.ackSeq = seq;
    },

    /** The command was refused or got no reply: the lock of here goes, nothing is watched. */
    refused(requestId) {
      if (placed?.requestId !== requestId) return;
      drop();
      store.unlockCart();
    },

    /** The store has changed: bind the order to its id, see whether it is settled, whether to retry. */
    look,

    /** There is a connection again: a retry that is due goes out. */
    connected() {
      if (plan !== null && plan.dueAt <= clock.now()) fire();
    },

    /** Any edit, any order, or a tap ends the automatic retry. */
    cancelRetry,

    /** Drop timer and retry. */
    forget() {
      drop();
      cancelRetry();
    },
  };
}

function cartSeen({ items, total }) {
  const lines = items.map((item) => [item.public_id, item.menu_item_id, item.qty, item.note, item.unit_price, item.available]);
  return JSON.stringify([lines, total]);
}
