// Money, times, initials and colours. Pure.

const AVATAR_COLOURS = 8; // menu.css has so many

const moneyFormats = new Map();

/** An amount in the major unit, as the phone's language writes it. */
export function money(amount, currency, digits) {
  const key = `${currency} ${digits}`;
  if (!moneyFormats.has(key)) moneyFormats.set(key, moneyFormat(currency, digits));
  return moneyFormats.get(key).format(amount);
}

function moneyFormat(currency, digits) {
  const places = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const style = { style: "currency", currencyDisplay: "narrowSymbol" };
  try {
    return new Intl.NumberFormat(undefined, { ...style, currency, ...places });
  } catch {
    return new Intl.NumberFormat(undefined, places); // a code that is no currency's
  }
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });

/** An RFC 3339 time as hours and minutes here. */
export const time = (text) => (text ? clock.format(new Date(text)) : "");

/** Up to two letters that stand for a person. */
export function initials(name) {
  const words = (name || "").trim().split(/\s+/).filter(Boolean);
  const ends = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return ends.map((word) => [...word][0].toLocaleUpperCase()).join("") || "?";
}

/** The same colour for the same member on every phone: a class of menu.css. */
export function colourClass(memberId) {
  let sum = 0;
  for (const sign of memberId || "") sum = (sum * 31 + sign.codePointAt(0)) >>> 0;
  return `hue-${sum % AVATAR_COLOURS}`;
}
