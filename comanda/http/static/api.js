// The server's HTTP calls that a guest's phone makes.

/** One call, from its first byte to its last. */
const TIMEOUT_MS = 10_000;

/** A call that was refused, or (`status` 0) never got an answer. The message is for a person. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** The seat that the token stood for is gone: the party has left, or the server knows it no more. */
  get seatIsOver() {
    return [401, 403, 404].includes(this.status);
  }
}

/** The calls. `fetch` and `clock` are as in `setupConnection`. Each raises `ApiError`. */
export function createApi({ baseUrl, fetch, clock }) {
  async function call(method, path, { token, body, headers = {} } = {}) {
    const giveUp = new AbortController();
    const timer = clock.setTimeout(() => giveUp.abort(), TIMEOUT_MS);
    const sent = { ...headers };
    if (token !== undefined) sent.Authorization = `Bearer ${token}`;
    if (body !== undefined) sent["Content-Type"] = "application/json";
    try {
      const response = await fetch(new URL(path, baseUrl).href, {
        method,
        headers: sent,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: giveUp.signal,
      });
      const told = response.status === 304 ? null : await response.json();
      if (response.ok || response.status === 304) return { told, response };
      throw new ApiError(response.status, told.code, told.detail);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      throw new ApiError(0, "no_connection", "The restaurant cannot be reached. Is there a connection?");
    } finally {
      clock.clearTimeout(timer);
    }
  }

  const part = encodeURIComponent;
  return {
    /** What a QR code leads to, without sitting down. */
    async table(tableCode) {
      return (await call("GET", `/api/tables/${part(tableCode)}`)).told;
    },

    /** Sit down. */
    async join(tableCode, name) {
      return (await call("POST", `/api/tables/${part(tableCode)}/join`, { body: { name } })).told;
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
