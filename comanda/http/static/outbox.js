// Commands in flight: remembered until they are answered, sent again after a reconnect under their old id.

/** A command's reply, reconnects included; as long as a cart can be locked. */
const TIMEOUT_MS = 60_000;

/** `lost(command)` hears of a command that got no reply in time: whether it had its effect is not known. */
export function createOutbox({ clock, lost }) {
  const waiting = new Map();

  function forget(requestId) {
    const command = waiting.get(requestId)?.command;
    clock.clearTimeout(waiting.get(requestId)?.timer);
    waiting.delete(requestId);
    return command;
  }

  return {
    /** Send it on `link` and remember it; null where there is no link: it goes with the next one. */
    send(command, link) {
      const timer = clock.setTimeout(() => lost(forget(command.request_id)), TIMEOUT_MS);
      waiting.set(command.request_id, { command, timer });
      link?.send(command);
    },

    /** All that was not answered, once more, oldest first. */
    sendAgain(link) {
      for (const { command } of waiting.values()) link.send(command);
    },

    /** The command that `reply` answers; undefined where nobody waits for it. */
    take: (reply) => forget(reply.request_id),

    /** Wait for nothing any more. */
    clear() {
      for (const requestId of [...waiting.keys()]) forget(requestId);
    },
  };
}
