// Ids that this phone chooses: of commands and of cart lines.

/** Sixteen random bytes in hex. Unlike `randomUUID` this also works on a page without TLS. */
export function randomId() {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
