// One HTTP call to the server, for guests and staff alike: given up in time, its refusal in the server's words.

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

/**
 * The function that calls. It gives `{told, response}`, `told` being null where there is no body, and raises
 * `ApiError`. `fetch` and `clock` are as in `setupConnection`; `unreachable` is said where nobody answers.
 */
export function createCall({ baseUrl, fetch, clock, unreachable }) {
  return async function call(method, path, { token, body, headers = {} } = {}) {
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
      const told = [204, 304].includes(response.status) ? null : await response.json();
      if (response.ok || response.status === 304) return { told, response };
      throw new ApiError(response.status, told.code, told.detail);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      throw new ApiError(0, "no_connection", unreachable);
    } finally {
      clock.clearTimeout(timer);
    }
  };
}
