// The server's HTTP calls that the staff's page makes.

import { createCall } from "./call.js";
import { note } from "./staff_wording.js";

const PAGE = 50; // orders shown at once, besides those that wait

const WAITING = 200; // the server's bound

const KNOWN = 8; // answers remembered: what one page asks for, and the page before it

/** The calls with one staff token. `fetch` and `clock` are as in `setupConnection`. Each raises `ApiError`. */
export function createStaffApi({ baseUrl, fetch, clock, token }) {
  const known = new Map(); // path -> {etag, told}: what is asked for again and again, the last used last
  const anybodysCall = createCall({ baseUrl, fetch, clock, unreachable: note.unreachable });
  const call = (method, path, more) => anybodysCall(method, path, { ...more, token });

  /** What `path` tells; the very same object as before where nothing has changed. */
  async function look(path) {
    const before = known.get(path);
    const headers = before === undefined ? {} : { "If-None-Match": before.etag };
    const { told, response } = await call("GET", path, { headers });
    const now = response.status === 304 ? before : { etag: response.headers.get("ETag"), told };
    known.delete(path);
    known.set(path, now);
    if (known.size > KNOWN) known.delete(known.keys().next().value);
    return now.told;
  }

  const part = encodeURIComponent;
  return {
    /** The restaurants that the token opens. */
    restaurants: async () => (await call("GET", "/api/restaurants")).told.restaurants,

    tables: async (restaurantId) => (await look(`/api/restaurants/${restaurantId}/tables`)).tables,

    menu: async (restaurantId) => (await look(`/api/restaurants/${restaurantId}/menu`)).sections,

    /** A page of the orders in any state, newest first: `{orders, next}`. `cursor` null: the newest. */
    orders: (restaurantId, cursor) =>
      look(`/api/restaurants/${restaurantId}/orders?limit=${PAGE}${cursor === null ? "" : `&cursor=${part(cursor)}`}`),

    /** Orders that wait for the staff, and those of which an incident stands, however old. */
    async waiting(restaurantId) {
      const path = `/api/restaurants/${restaurantId}/orders?limit=${WAITING}`;
      const [unsettled, contradicted] = await Promise.all([
        look(`${path}&state=needs_staff`),
        look(`${path}&incidents=standing`),
      ]);
      return [...unsettled.orders, ...contradicted.orders];
    },

    /** The QR codes for `address`; null: for the likeliest. */
    async codes(restaurantId, address) {
      const query = address === null ? "" : `?address=${part(address)}`;
      return (await call("GET", `/api/restaurants/${restaurantId}/qr-codes${query}`)).told;
    },

    resolve: (orderId, body) => call("POST", `/api/orders/${part(orderId)}/resolve`, { body }),

    close: (sessionPid) => call("POST", `/api/sessions/${part(sessionPid)}/close`),

    patch: (restaurantId, itemId, body) => call("PATCH", `/api/restaurants/${restaurantId}/menu/${itemId}`, { body }),
  };
}
