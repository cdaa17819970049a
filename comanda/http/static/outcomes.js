// What became of orders, for the person: also of those that were settled while this phone was away.

/**
 * Follows the orders that this phone has seen unsettled and shows each one's outcome once. An order that was
 * placed and confirmed while the phone was away is shown too: whoever sat here then has to hear of it.
 */
export function createOutcomes(store) {
  let watched = new Set(); // order ids seen pending or in doubt
  let settledAway = new Set(); // of these, those that a snapshot no longer has
  let known = null; // ids of the confirmed orders seen since sitting down; null before the first look

  function unsettled() {
    const { pendingOrderId, ordersInDoubt } = store.getState();
    const ids = ordersInDoubt.map((order) => order.order_id);
    return new Set(pendingOrderId === null ? ids : [...ids, pendingOrderId]);
  }

  function confirmed(order, late) {
    const { order_id: orderId, placed_by: placedBy } = order;
    store.set({ outcome: { orderId, status: "confirmed", error: null, late, order, placedBy } });
  }

  function failedInDoubt(orderId, error) {
    store.set({ outcome: { orderId, status: "failed", error, late: true, order: null, placedBy: null } });
  }

  return {
    /** What is to be remembered over a refresh: order ids. */
    memory: () => ({ watched: [...watched, ...settledAway], known: known && [...known] }),

    /** Remembered from before a refresh; both are empty for a new seat. */
    remember(memory) {
      watched = new Set(memory.watched);
      settledAway = new Set();
      known = memory.known ? new Set(memory.known) : null;
    },

    /** An event is about to be applied: gives what to show after it was. */
    before(event) {
      const { ordersInDoubt, orderTimedOut } = store.getState();
      const doubted = ordersInDoubt.some((order) => order.order_id === event.order_id);
      if (event.type === "order_confirmed") {
        return () => {
          known?.add(event.order_id);
          confirmed(event.order, doubted || orderTimedOut);
        };
      }
      if (event.type === "order_failed" && doubted) return () => failedInDoubt(event.order_id, event.error);
      return () => {};
    },

    /** The store follows the server: an event's outcome was shown, a snapshot's is still to be found. */
    look({ bySnapshot }) {
      const now = unsettled();
      if (bySnapshot) {
        for (const orderId of watched) if (!now.has(orderId)) settledAway.add(orderId);
      }
      watched = now;
    },

    /** Nothing can have been ordered here so far. */
    noneYet() {
      known ??= new Set();
    },

    /** The confirmed orders, newest first, are read: what was watched and is not among them was not accepted. */
    found(orders) {
      const { lastOrder } = store.getState();
      for (const order of [...orders].reverse()) {
        const { order_id: orderId } = order;
        if (settledAway.has(orderId)) confirmed(order, lastOrder?.order_id !== orderId);
        else if (known !== null && !known.has(orderId)) confirmed(order, false);
      }
      known = new Set(orders.map((order) => order.order_id));
      for (const orderId of settledAway) {
        if (!known.has(orderId) && lastOrder?.order_id !== orderId) failedInDoubt(orderId, null);
      }
      settledAway = new Set();
    },
  };
}
