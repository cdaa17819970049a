// The surroundings of a connection in a browser. Read when a connection is set up, never at import.

/** What `setupConnection` uses where its caller gives nothing else. */
export function browserSurroundings() {
  return {
    fetch: (...request) => globalThis.fetch(...request),
    WebSocket: globalThis.WebSocket,
    storage: globalThis.localStorage,
    clock: {
      now: () => globalThis.performance.now(),
      setTimeout: (...call) => globalThis.setTimeout(...call),
      clearTimeout: (timer) => globalThis.clearTimeout(timer),
    },
    random: Math.random,
    isVisible: () => globalThis.document?.visibilityState !== "hidden",
    listen,
  };
}

function listen(heard) {
  const online = () => heard("online");
  const offline = () => heard("offline");
  const visible = () => globalThis.document.visibilityState === "visible" && heard("visible");
  globalThis.addEventListener("online", online);
  globalThis.addEventListener("offline", offline);
  globalThis.document.addEventListener("visibilitychange", visible);
  return () => {
    globalThis.removeEventListener("online", online);
    globalThis.removeEventListener("offline", offline);
    globalThis.document.removeEventListener("visibilitychange", visible);
  };
}
