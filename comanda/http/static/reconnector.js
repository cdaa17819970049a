// Staying connected: one link after another, with pauses between them, until one ends for good.

import { reconnectDelay, TRIES_BEFORE_LOST } from "./backoff.js";
import { openLink } from "./link.js";

/** Close codes after which joining again by itself is of no use (PROTOCOL, "Close codes"). */
export const FINAL_CODES = Object.freeze([1008, 4401, 4404, 4410]);
/** A link that lived for less counts towards the backoff, so that no two sides spin. */
const STABLE_AFTER_MS = 5_000;
/** So many links in a row may end young before the pauses grow. */
const SHORT_LIVES = 3;
/** The longest wait that a server may ask for. */
const MAX_RETRY_AFTER_SECONDS = 120;

/**
 * Keeps one member's websocket. `owner` hears `joined(link, snapshot)`, `told(link, message)`,
 * `status(word)` (the store's `connection`) and `over(end)` for a final close code.
 */
export function createReconnector({ url, token, settings, owner, WebSocket, clock, random }) {
  let link = null;
  let pause = null;
  let stopped = true;
  let failed = 0;
  let shortLives = 0;
  let startedAt = 0;
  let closingWait = null;

  const joinTimeoutMs = settings.reconnect_timeout_seconds * 1000;

  function attempt() {
    pause = null;
    startedAt = clock.now();
    closingWait = null;
    link = openLink({ url, token, WebSocket, clock, joinTimeoutMs, owner: { joined, told: owner.told, ended } });
  }

  function joined(which, snapshot) {
    failed = 0;
    owner.joined(which, snapshot);
    owner.status("connected");
  }

  function ended(_, end) {
    link = null;
    if (stopped) return;
    count(end);
    owner.status(failed >= TRIES_BEFORE_LOST ? "lost" : "reconnecting");
    if (FINAL_CODES.includes(end.code)) {
      stopped = true;
      owner.over(end);
      return;
    }
    startPause();
  }

  function startPause() {
    pause = clock.setTimeout(attempt, delaySeconds() * 1000);
  }

  function count(end) {
    if (!end.joined) {
      failed += 1;
      return;
    }
    const young = clock.now() - startedAt < STABLE_AFTER_MS;
    shortLives = young ? shortLives + 1 : 0;
  }

  function delaySeconds() {
    const chance = random();
    const delay = reconnectDelay(Math.max(failed, shortLives - SHORT_LIVES, 0), chance);
    if (closingWait === null) return delay;
    return Math.max(delay, Math.min(closingWait, MAX_RETRY_AFTER_SECONDS) + reconnectDelay(0, chance));
  }

  function cancelPause() {
    clock.clearTimeout(pause);
    pause = null;
  }

  return {
    /** The first attempt. */
    start() {
      stopped = false;
      owner.status("connecting");
      attempt();
    },

    /** The tap, or the page or network that comes back: the next attempt at once, the pauses short again. */
    now() {
      if (link !== null) {
        link.probe();
        return;
      }
      stopped = false;
      failed = 0;
      shortLives = 0;
      cancelPause();
      owner.status("reconnecting");
      attempt();
    },

    /** A final code that was none: the next attempt comes after the usual pause. */
    goOn() {
      stopped = false;
      startPause();
    },

    /** The link is of no use any more (a gap in `seq`, no network): the next one follows. */
    cut() {
      link?.cut();
    },

    /** The server has announced its end and when to come back. */
    serverCloses(retryAfterSeconds) {
      closingWait = retryAfterSeconds;
    },

    /** No further attempt; a link that is open ends. */
    stop() {
      stopped = true;
      cancelPause();
      link?.cut();
    },
  };
}
