// A price as somebody types it. Pure.

/** The amount that `text` names, null where it names none. A comma may stand for the point. */
export function priceOf(text, digits) {
  const found = /^(\d{1,11})(?:[.,](\d+))?$/.exec(text.trim());
  if (found === null || (found[2] ?? "").length > digits) return null;
  return Number(`${found[1]}.${found[2] ?? "0"}`);
}

/** The amount as one would type it. */
export const typed = (amount, digits) => amount.toFixed(digits);
