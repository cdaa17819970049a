// How long to wait before the next attempt to connect. Pure; the Python client counts the same.

/** The first attempt after a connection was lost comes within this time. */
const FIRST_WITHIN_SECONDS = 0.5;
/** Doubled with every further attempt, then jittered between the half and the whole. */
const BASE_SECONDS = 0.5;
/** The longest pause while the person looks at "Reconnecting...". */
const LONGEST_SECONDS = 4;
/** The longest pause after the person was told; a tap ends it. */
const LONGEST_WHEN_LOST_SECONDS = 20;
/** Failed attempts before the connection is called lost. */
export const TRIES_BEFORE_LOST = 3;

/** Seconds to wait after `failed` failed attempts; `chance` is from [0, 1). */
export function reconnectDelay(failed, chance) {
  if (failed === 0) return FIRST_WITHIN_SECONDS * chance;
  const longest = failed >= TRIES_BEFORE_LOST ? LONGEST_WHEN_LOST_SECONDS : LONGEST_SECONDS;
  // A restaurant's phones should not all come back at the same moment.
  return Math.min(BASE_SECONDS * 2 ** Math.min(failed, 32), longest) * (0.5 + 0.5 * chance);
}
