// What a staff tab keeps over a refresh and forgets when it is closed: its token, its restaurant.

const TOKEN = "comanda.staff.token";
const RESTAURANT = "comanda.staff.restaurant";

/** Over sessionStorage: a tablet that is put down keeps no token for whoever finds it tomorrow. */
export function createStaffKept() {
  const attempt = (access) => {
    try {
      return access(globalThis.sessionStorage);
    } catch {
      return null; // forbidden: the token is asked for after each refresh
    }
  };
  return {
    token: () => attempt((storage) => storage.getItem(TOKEN)),
    keepToken: (token) => attempt((storage) => storage.setItem(TOKEN, token)),
    restaurantId: () => Number(attempt((storage) => storage.getItem(RESTAURANT))),
    keepRestaurantId: (id) => attempt((storage) => storage.setItem(RESTAURANT, String(id))),
    forget: () => attempt((storage) => storage.removeItem(TOKEN)),
  };
}
