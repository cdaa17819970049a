// What became of orders, for the person: also of those that were settled while this phone was away.

/** Follows the orders that this phone has seen unsettled and shows each one's outcome once. */
export function createOutcomes(store) {
  let watched = new Set(); // order ids seen pending or in doubt
  let settledAway = new Set(); // of these, those that a snapshot no longer has

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
    /** The ids to be remembered over a refresh. */
    watched: () => [...watched, ...settledAway],

    /** Remembered from before a refresh. */
    remember(orderIds) {
      watched = new Set(orderIds);
    },

    /** An event is about to be applied: gives what to show after it was. */
    before(event) {
      const { ordersInDoubt, orderTimedOut } = store.getState();
      const doubted = ordersInDoubt.some((order) => order.order_id === event.order_id);
      if (event.type === "order_confirmed") return () => confirmed(event.order, doubted || orderTimedOut);
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

    /** The confirmed orders are read: what is not among them was not accepted. */
    found(orders) {
      const { lastOrder } = store.getState();
      for (const orderId of settledAway) {
        const order = orders.find((one) => one.order_id === orderId);
        if (order !== undefined) confirmed(order, lastOrder?.order_id !== orderId);
        else if (lastOrder?.order_id !== orderId) failedInDoubt(orderId, null);
      }
      settledAway = new Set();
    },
  };
}
