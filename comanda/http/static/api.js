// The server's HTTP calls that a guest's phone makes.

import { createCall } from "./call.js";

const UNREACHABLE = "The restaurant cannot be reached. Is there a connection?";

/** The calls. `fetch` and `clock` are as in `setupConnection`. Each raises `ApiError`. */
export function createApi({ baseUrl, fetch, clock }) {
  const call = createCall({ baseUrl, fetch, clock, unreachable: UNREACHABLE });
  const part = encodeURIComponent;
  return {
    /** What a QR code leads to, without sitting down. */
    async table(tableCode) {
      return (await call("GET", `/api/tables/${part(tableCode)}`)).told;
    },

    /** Sit down. `pin` is the table's, null where it is not known. */
    async join(tableCode, name, pin) {
      const body = pin === null ? { name } : { name, pin };
      return (await call("POST", `/api/tables/${part(tableCode)}/join`, { body })).told;
    },

    /** The cart snapshot. */
    async cart(sessionPid, token) {
      return (await call("GET", `/api/sessions/${part(sessionPid)}/cart`, { token })).told;
    },

    /** The confirmed orders, newest first. */
    async orders(sessionPid, token) {
      return (await call("GET", `/api/sessions/${part(sessionPid)}/orders`, { token })).told.orders;
    },

    /** The menu and its ETag; `menu` is null where `etag` still names the current one. */
    async menu(restaurantId, etag) {
      const headers = etag === null ? {} : { "If-None-Match": etag };
      const { told, response } = await call("GET", `/api/restaurants/${restaurantId}/menu`, { headers });
      return { menu: told, etag: response.headers.get("ETag") };
    },
  };
}
