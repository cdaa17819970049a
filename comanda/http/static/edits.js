// Edits that were sent and are not yet part of the server's state, laid over the cart so that a tap
// shows at once. Pure.

/**
 * The cart's lines with `edits` on top, in the order in which they were sent. A line that differs from
 * the server's has `unsaved: true`. `menuItem` finds a menu item by its id: a line that is being added
 * takes name and price from there, and is not shown where the menu does not know it.
 */
export function layOver(items, edits, memberId, menuItem) {
  return edits.reduce((lines, edit) => LAY[edit.type](lines, edit, memberId, menuItem), items);
}

const LAY = {
  add_item: add,
  update_item: update,
  remove_item: (lines, edit) => lines.filter((line) => line.public_id !== edit.public_id),
  clear_cart: () => [],
};

function add(lines, edit, memberId, menuItem) {
  const item = menuItem(edit.menu_item_id);
  // A snapshot may hold the line before its acknowledgement has come.
  if (item === undefined || lines.some((line) => line.public_id === edit.public_id)) return lines;
  const line = {
    public_id: edit.public_id,
    menu_item_id: edit.menu_item_id,
    name: item.name,
    unit_price: item.price,
    qty: edit.qty,
    note: edit.note,
    state: "pending",
    available: item.available,
    added_by: memberId,
    unsaved: true,
  };
  return [...lines, line];
}

function update(lines, edit) {
  return lines.map((line) => {
    if (line.public_id !== edit.public_id) return line;
    return { ...line, qty: edit.qty ?? line.qty, note: edit.note ?? line.note, unsaved: true };
  });
}
