// An order that was placed and confirmed while a phone was away: who sat there hears of it, once.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { BEN, order, snapshot, World } from "./world.js";

const confirmedBy = (placed_by) => ({ order_id: "ORD-7-1", status: "confirmed", error: null, allow_retry: false, placed_by, tries: 0 });
const after = (seq) => snapshot(seq, { order_processing_status: "confirmed", last_order: confirmedBy(BEN) });

function theServerHasConfirmed(world, ...orderIds) {
  const orders = orderIds.map((orderId) => order(orderId, { placed_by: BEN }));
  world.answers.set("/api/sessions/session_1/orders", () => [200, { orders, next: null }]);
}

/** In a tunnel since before the order; the first word of it is a snapshot. */
async function backFromTheTunnel(world, seq) {
  world.socket.drop();
  await world.clock.pass(1);
  await world.let(after(seq));
}

describe("an order placed and confirmed while the phone was away", () => {
  for (const seq of [1, 3]) {
    it(`is shown to whoever sat at the table before, first seen at ${seq}`, async () => {
      const world = await new World().seated(snapshot(seq));
      theServerHasConfirmed(world, "ORD-7-1");
      await backFromTheTunnel(world, 6);
      const { orderId, status, late, placedBy } = world.state.outcome;
      assert.deepEqual([orderId, status, late, placedBy], ["ORD-7-1", "confirmed", false, BEN]);
    });
  }

  it("is shown once, also over a refresh", async () => {
    const world = await new World().seated(snapshot(3));
    theServerHasConfirmed(world, "ORD-7-1");
    await backFromTheTunnel(world, 6);
    world.store.dismissOutcome();
    await backFromTheTunnel(world, 7);
    assert.equal(world.state.outcome, null);
    world.connection.close();
    world.phone();
    world.connection.start();
    await world.let(after(8));
    assert.equal(world.state.orders.length, 1);
    assert.equal(world.state.outcome, null);
  });

  it("is shown after a refresh in the midst of it", async () => {
    const world = await new World().seated(snapshot(3));
    world.connection.close();
    theServerHasConfirmed(world, "ORD-7-1");
    world.phone();
    world.connection.start();
    await world.let(after(6));
    assert.equal(world.state.outcome.orderId, "ORD-7-1");
  });

  it("is shown as the newest, where there were several", async () => {
    const world = await new World().seated(snapshot(3));
    theServerHasConfirmed(world, "ORD-7-2", "ORD-7-1");
    await backFromTheTunnel(world, 12);
    assert.equal(world.state.outcome.orderId, "ORD-7-2");
  });

  it("is not news to whoever sat down after it", async () => {
    const world = new World();
    theServerHasConfirmed(world, "ORD-7-1");
    world.answers.set("/api/sessions/session_1/cart", () => [200, after(6)]);
    await world.seated(after(6));
    assert.equal(world.state.orders.length, 1);
    assert.equal(world.state.outcome, null);
  });
});
