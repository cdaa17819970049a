// The server's HTTP calls that the staff's page makes.

import { ApiError } from "./api.js";

/** One call, from its first byte to its last. */
const TIMEOUT_MS = 10_000;

/** Orders that the page shows at most, besides those that wait. */
export const NEWEST = 100;

const WAITING = 200; // the server's bound

/** The calls with one staff token. `fetch` and `clock` are as in `setupConnection`. Each raises `ApiError`. */
export function createStaffApi({ baseUrl, fetch, clock, token }) {
  const known = new Map(); // path -> {etag, told}: what is asked for again and again

  async function call(method, path, { body, headers = {} } = {}) {
    const giveUp = new AbortController();
    const timer = clock.setTimeout(() => giveUp.abort(), TIMEOUT_MS);
    const sent = { ...headers, Authorization: `Bearer ${token}` };
    if (body !== undefined) sent["Content-Type"] = "application/json";
    try {
      const response = await fetch(new URL(path, baseUrl).href, {
        method,
        headers: sent,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: giveUp.signal,
      });
      const told = [204, 304].includes(response.status) ? null : await response.json();
      if (response.ok || response.status === 304) return { told, response };
      throw new ApiError(response.status, told.code, told.detail);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      throw new ApiError(0, "no_connection", "The server cannot be reached.");
    } finally {
      clock.clearTimeout(timer);
    }
  }

  /** What `path` tells; the very same object as before where nothing has changed. */
  async function look(path) {
    const before = known.get(path);
    const headers = before === undefined ? {} : { "If-None-Match": before.etag };
    const { told, response } = await call("GET", path, { headers });
    if (response.status === 304) return before.told;
    known.set(path, { etag: response.headers.get("ETag"), told });
    return told;
  }

  const part = encodeURIComponent;
  return {
    /** The restaurants that the token opens. */
    restaurants: async () => (await call("GET", "/api/restaurants")).told.restaurants,

    tables: async (restaurantId) => (await look(`/api/restaurants/${restaurantId}/tables`)).tables,

    menu: async (restaurantId) => (await look(`/api/restaurants/${restaurantId}/menu`)).sections,

    /** The newest orders in any state, newest first. */
    orders: async (restaurantId) => (await look(`/api/restaurants/${restaurantId}/orders?limit=${NEWEST}`)).orders,

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
