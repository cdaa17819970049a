// A member's connection to their table, for any front end: it sits down, keeps the store of `cart.js`
// true over refreshes, sleep and tunnels, and sends what the member does. No DOM, no framework.

/** Close codes after which joining again is of no use (PROTOCOL, "Close codes"). */
export const FINAL_CODES = Object.freeze([1008, 4401, 4404, 4410]);

/**
 * @typedef {object} Surroundings  What is outside, replaced in tests. Each defaults to the browser's.
 * @property {(url: string, init?: object) => Promise<Response>} [fetch]
 * @property {typeof WebSocket} [WebSocket]
 * @property {{getItem: Function, setItem: Function, removeItem: Function}} [storage]  localStorage
 * @property {{now(): number, setTimeout: Function, clearTimeout: Function}} [clock]  milliseconds
 * @property {() => number} [random]  from [0, 1)
 * @property {() => string} [newId]
 * @property {() => boolean} [isVisible]  whether the page is seen now
 * @property {(heard: (what: "online"|"offline"|"visible") => void) => () => void} [listen]  tells when the
 *   network or the page comes back; gives the function that ends it
 */

/**
 * @typedef {object} Connection
 * @property {() => Promise<void>} start  Come back to the seat kept in storage (specification 4.3), or
 *   ask for a name: `phase` says which. Reads the table and its menu either way.
 * @property {(name: string) => Promise<boolean>} join  Sit down; whether it worked. A notice says why not.
 * @property {() => Promise<boolean>} loadCartSnapshot  The snapshot over HTTP; taken if it is newer.
 * @property {() => Promise<boolean>} loadMenu  The menu, with its ETag.
 * @property {() => Promise<boolean>} loadOrders  My Orders: the confirmed ones.
 * @property {(specialInstructions?: string) => boolean} placeOrder  Order what the store shows; whether it
 *   was sent. Locks the cart until the server has answered. Ends an automatic retry.
 * @property {() => boolean} resolveNow  Ask now for the outcome of the order in flight.
 * @property {() => void} cancelRetry  The tap that ends the automatic retry.
 * @property {() => void} reconnectNow  The tap: the next attempt at once.
 * @property {() => void} leave  Forget the seat kept in storage and close.
 * @property {() => void} close  Close the websocket and every timer. The seat stays in storage.
 */

/**
 * A connection of `store` to a table; nothing happens before `start()`.
 * @param {{baseUrl: string, tableCode: string, store: object, name?: string} & Surroundings} options
 *   `baseUrl` is the server's address, such as `location.origin`; with a `name` one sits down unasked.
 * @returns {Connection}
 */
export function setupConnection(options) {
  throw new Error(`not written yet: ${Object.keys(options)}`);
}
