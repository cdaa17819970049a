// What others have just done, in sentences: two states of the table, compared. Pure.

import { money } from "./format.js";
import { label, note } from "./wording.js";

const byId = (items, key) => new Map(items.map((item) => [item[key], item]));

/** The sentences for what has changed from `before` to `after` by anybody but this member. */
export function newsBetween(before, after) {
  if (before.seq === null || before.memberId !== after.memberId) return [];
  return [...edits(before, after), ...arrivals(before, after), ...menuChanges(before, after), ...unlocking(before, after)];
}

/** The lines that somebody else has just added or changed: public_id → whose edit. */
export function arrivedLines(before, after) {
  const edit = after.lastEdit;
  if (edit === null || edit === before.lastEdit) return null;
  return new Map(edit.publicIds.map((id) => [id, edit.byName || label.someone]));
}

function* edits(before, after) {
  const edit = after.lastEdit;
  if (edit === null || edit === before.lastEdit) return;
  const who = edit.byName || label.someone;
  const old = byId(before.items, "public_id");
  const now = byId(after.items, "public_id");
  for (const id of edit.publicIds) {
    const [was, is] = [old.get(id), now.get(id)];
    if (is === undefined) continue;
    if (was === undefined) yield note.added(who, is.qty, is.name);
    else if (was.qty !== is.qty) yield note.counted(who, is.qty, is.name);
    else if (was.note !== is.note) yield note.noted(who, is.name);
  }
  for (const was of before.items) {
    if (!now.has(was.public_id) && !was.unsaved) yield note.removed(who, was.name);
  }
}

function* arrivals(before, after) {
  if (before.members.length === 0) return;
  const known = new Set(before.members.map((member) => member.member_id));
  for (const member of after.members) {
    if (!known.has(member.member_id) && member.member_id !== after.memberId) yield note.joined(member.name);
  }
}

function* menuChanges(before, after) {
  if (before.menu === null || after.menu === null || before.menu === after.menu) return;
  const old = byId(before.menu.sections.flatMap((section) => section.items), "menu_item_id");
  for (const item of after.menu.sections.flatMap((section) => section.items)) {
    const was = old.get(item.menu_item_id);
    if (was?.available && !item.available) yield note.soldOut(item.name);
    else if (was && was.price !== item.price && after.items.some((line) => line.menu_item_id === item.menu_item_id)) {
      yield note.priced(item.name, money(item.price, after.currency, after.minorDigits));
    }
  }
}

function* unlocking(before, after) {
  if (after.ordersInDoubt.length > before.ordersInDoubt.length) yield note.unlocked;
}
