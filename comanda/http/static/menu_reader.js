// The restaurant's menu: kept over a refresh, read under its ETag, changed by what the server tells.

import { ApiError } from "./call.js";

/** Reads the menu of the store's restaurant into the store. */
export function createMenuReader({ api, store, kept }) {
  let etag = null;

  return {
    /** Show the kept menu at once, then the server's where it is another; whether the server answered. */
    async load() {
      const { restaurant, menu: shown } = store.getState();
      if (restaurant === null) return false;
      const entry = shown === null ? kept.menu(restaurant.id) : null;
      if (entry !== null) {
        etag = entry.etag;
        store.loadMenu(entry.menu);
      }
      try {
        const answer = await api.menu(restaurant.id, etag);
        if (answer.menu === null) return true;
        etag = answer.etag;
        store.loadMenu(answer.menu);
        kept.keepMenu(restaurant.id, { etag, menu: answer.menu });
        return true;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (store.getState().menu === null) store.notify("error", error.code, error.message);
        return false;
      }
    },

    /** Items have changed: what is shown is no longer what the ETag names. */
    update(items) {
      etag = null;
      store.updateMenu(items);
    },
  };
}
