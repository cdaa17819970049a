// What the server has told of a table, and how each event changes it. Pure: every function takes a
// state and gives a new one. The names inside are the protocol's own (docs/protocol.md).

/** The state before the first snapshot: `seq` is null. */
export function emptyTable() {
  return {
    seq: null,
    session_pid: null,
    currency: "",
    total: 0,
    items: [],
    members: [],
    locked_by_member: null,
    locked_by_name: null,
    pending_order: null,
    orders_in_doubt: [],
    last_order: null,
    last_updated: null,
    closed_reason: null,
    join_pin: null,
  };
}

/** The whole truth at `snapshot.seq`. */
export function fromSnapshot(snapshot) {
  const table = emptyTable();
  for (const key of Object.keys(table)) {
    if (snapshot[key] !== undefined) table[key] = snapshot[key];
  }
  return table;
}

/**
 * What `event` means for `table`: "stale" where it is known already, "gap" where one before it is
 * missing (then only a snapshot helps), else "next". Events without `seq` are always "next".
 */
export function placeInSequence(table, event) {
  if (!(event.type in FOLLOW) || event.type === "presence") return "next";
  if (table.seq === null) return "gap";
  if (event.seq <= table.seq) return "stale";
  return event.seq === table.seq + 1 ? "next" : "gap";
}

/** The table after `event`. `minorDigits` are the currency's decimals. Unknown types change nothing. */
export function follow(table, event, minorDigits) {
  const rule = FOLLOW[event.type];
  if (rule === undefined) return table;
  const after = { ...table, ...rule(table, event, minorDigits) };
  if (event.type === "presence") return after;
  return { ...after, seq: event.seq, last_updated: event.timestamp };
}

/** The sum of the lines, counted in whole minor units as the server does. */
export function totalOf(items, minorDigits) {
  const minorUnits = 10 ** minorDigits;
  const sum = items.reduce((all, item) => all + Math.round(item.unit_price * minorUnits) * item.qty, 0);
  return sum / minorUnits;
}

const FOLLOW = {
  cart_updated: cartUpdated,
  cart_locked: cartLocked,
  order_processing: orderProcessing,
  order_confirmed: orderConfirmed,
  order_failed: orderFailed,
  cart_unlocked: cartUnlocked,
  member_joined: memberJoined,
  presence: (_, event) => ({ members: event.members }),
  session_closed: (_, event) => ({ closed_reason: event.reason }),
};

const UNLOCKED = { pending_order: null, locked_by_member: null, locked_by_name: null };

function cartUpdated(table, event) {
  const changed = new Map(event.items.map((item) => [item.public_id, item]));
  const removed = new Set(event.removed);
  const items = table.items
    .filter((item) => !removed.has(item.public_id))
    .map((item) => changed.get(item.public_id) ?? item);
  const known = new Set(items.map((item) => item.public_id));
  items.push(...event.items.filter((item) => !known.has(item.public_id)));
  const edited = event.by_member !== null; // null: the menu has changed, nobody at the table
  return { items, total: event.total, last_order: edited ? null : table.last_order };
}

function cartLocked(table, event) {
  return {
    items: moveAll(table, "locked"),
    locked_by_member: event.locked_by_member,
    locked_by_name: event.locked_by_name,
    pending_order: {
      order_id: event.order_id,
      stage: "sent",
      attempt: 0,
      placed_by: event.locked_by_member,
      placed_at: event.timestamp,
      lock_ends_at: null,
    },
  };
}

function orderProcessing(table, event) {
  if (table.pending_order?.order_id !== event.order_id) return {};
  const { stage, attempt, lock_ends_at } = event;
  return { pending_order: { ...table.pending_order, stage, attempt, lock_ends_at } };
}

function orderConfirmed(table, event, minorDigits) {
  if (inDoubt(table, event.order_id)) return withoutDoubt(table, event.order_id);
  const last_order = {
    order_id: event.order_id,
    status: "confirmed",
    error: null,
    allow_retry: false,
    placed_by: event.order.placed_by,
    tries: 0,
    special_instructions: event.order.special_instructions,
  };
  return { ...UNLOCKED, ...withoutLocked(table, minorDigits), last_order };
}

function orderFailed(table, event) {
  if (inDoubt(table, event.order_id)) return withoutDoubt(table, event.order_id);
  const before = table.last_order?.status === "failed" ? table.last_order.tries : 0;
  const last_order = {
    order_id: event.order_id,
    status: "failed",
    error: event.error,
    allow_retry: event.allow_retry,
    placed_by: table.locked_by_member,
    tries: before + 1,
    special_instructions: event.special_instructions,
  };
  return { ...UNLOCKED, items: moveAll(table, "pending"), last_order };
}

function cartUnlocked(table, event, minorDigits) {
  const names = new Map(table.members.map((member) => [member.member_id, member.name]));
  const lines = table.items
    .filter((item) => item.state === "locked")
    .map(({ public_id, menu_item_id, name, qty, unit_price, note, added_by }) => ({
      public_id,
      menu_item_id,
      name,
      qty,
      unit_price,
      line_total: totalOf([{ qty, unit_price }], minorDigits),
      note,
      added_by: names.get(added_by) ?? added_by,
    }));
  const doubt = { order_id: event.order_id, stage: "needs_staff", lines };
  return {
    ...UNLOCKED,
    ...withoutLocked(table, minorDigits),
    orders_in_doubt: [...table.orders_in_doubt, doubt],
    last_order: null,
  };
}

function memberJoined(table, event) {
  const others = table.members.filter((one) => one.member_id !== event.member.member_id);
  return { members: [...others, { ...event.member, online: false }] }; // `presence` says who is online
}

function moveAll(table, state) {
  return table.items.map((item) => ({ ...item, state }));
}

function withoutLocked(table, minorDigits) {
  const items = table.items.filter((item) => item.state !== "locked");
  return { items, total: totalOf(items, minorDigits) };
}

function inDoubt(table, orderId) {
  return table.orders_in_doubt.some((order) => order.order_id === orderId);
}

// The outcome of an order in doubt touches neither the cart nor a later lock.
function withoutDoubt(table, orderId) {
  return { orders_in_doubt: table.orders_in_doubt.filter((order) => order.order_id !== orderId) };
}
