// What this phone keeps over a refresh: its seat at each table, the name used last, the menu.

/** `storage` as localStorage; where it is full or forbidden nothing is kept, and nothing breaks. */
export function createKept(storage, tableCode) {
  const seatKey = `comanda.seat.${tableCode}`;

  function read(key) {
    try {
      return JSON.parse(storage.getItem(key));
    } catch {
      return null;
    }
  }

  function write(key, value) {
    try {
      if (value === null) storage.removeItem(key);
      else storage.setItem(key, JSON.stringify(value));
    } catch {
      // private mode, or full: the page works without
    }
  }

  return {
    seat: () => read(seatKey),
    keepSeat: (seat) => write(seatKey, seat),
    name: () => read("comanda.name") ?? "",
    keepName: (name) => write("comanda.name", name),
    /** `{etag, menu}`, or null. */
    menu: (restaurantId) => read(`comanda.menu.${restaurantId}`),
    keepMenu: (restaurantId, entry) => write(`comanda.menu.${restaurantId}`, entry),
  };
}
