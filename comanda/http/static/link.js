// One websocket, from its opening to its end. A lost link is never mended: the next one is new.

/** Without a word of the server for so long it is pinged: a page cannot see websocket pings. */
const SILENCE_MS = 15_000;
/** Without an answer to that ping for so long the link counts as lost. */
const PONG_MS = 5_000;
/** The close code where there was no close frame. */
export const NO_CLOSE_FRAME = 1006;

/**
 * Open a link and join. `owner` hears, synchronously: `joined(link, snapshot)` once, `told(link, message)`
 * for all that follows, `ended(link, {code, reason, joined})` once. Opening, handshake and the answer to
 * the join share `joinTimeoutMs`.
 */
export function openLink({ url, token, WebSocket, clock, joinTimeoutMs, owner }) {
  let joined = false;
  let over = false;
  let timer = clock.setTimeout(() => end(NO_CLOSE_FRAME, "no answer in time"), joinTimeoutMs);
  const socket = new WebSocket(url);

  const link = {
    /** Send a command; nothing happens where the link is over. */
    send(command) {
      if (!over && joined) socket.send(JSON.stringify(command));
    },

    /** Ask for a sign of life now: after a sleep a link may be dead without knowing. */
    probe() {
      if (over || !joined) return;
      socket.send(JSON.stringify({ type: "ping" }));
      restartTimer(PONG_MS, () => end(NO_CLOSE_FRAME, "the server does not answer"));
    },

    /** End it at once, whatever the network does. */
    cut() {
      end(NO_CLOSE_FRAME, "cut");
    },
  };

  socket.onopen = () => socket.send(JSON.stringify({ type: "join", token }));
  socket.onclose = ({ code, reason }) => end(code, reason);
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (!joined && message.type !== "cart_snapshot") return;
    restartTimer(SILENCE_MS, link.probe);
    if (joined) {
      owner.told(link, message);
    } else {
      joined = true;
      owner.joined(link, message);
    }
  };

  function restartTimer(milliseconds, what) {
    clock.clearTimeout(timer);
    timer = over ? undefined : clock.setTimeout(what, milliseconds);
  }

  function end(code, reason) {
    if (over) return;
    over = true;
    clock.clearTimeout(timer);
    // A dead network keeps `close` waiting: hear no more of it.
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    owner.ended(link, { code, reason, joined });
  }

  return link;
}
