// Numbers and times as text: always with their unit, never NaN. The page is
// in English, so its numbers are too; times are in the zone of the reader,
// or in UTC where that is chosen.

const THIN = "\u202f"; // narrow no-break space
const MINUS = "\u2212";
export const NONE = "–";

const formats = new Map();
function decimals(digits) {
  if (!formats.has(digits)) formats.set(digits, new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  return formats.get(digits);
}

const known = (n) => typeof n === "number" && Number.isFinite(n);
const sum = (n, digits) => {
  const text = decimals(digits).format(n);
  return /[1-9]/.test(text) ? text.replace("-", MINUS) : text.replace("-", ""); // no negative zero
};

/** A number with so many decimals, with a true minus. */
export const number = (n, digits = 0) => (known(n) ? sum(n, digits) : NONE);

/** The same with its sign, + too. */
export const signed = (n, digits = 0) => (known(n) ? (n > 0 && /[1-9]/.test(sum(n, digits)) ? "+" : "") + sum(n, digits) : NONE);

export const count = (n) => (known(n) ? sum(n, 0) : NONE);
export const plural = (n, one, many = one + "s") => `${count(n)} ${n === 1 ? one : many}`;

export const capital = (s) => s.charAt(0).toUpperCase() + s.slice(1);

export const fullStop = (s) => s.replace(/[^.]$/, "$&.");

/** A rate per second: 0.42, 11.8, 1,240. */
export function rate(n) {
  if (!known(n)) return NONE;
  return sum(n, n === 0 ? 0 : n < 1 ? 2 : n < 100 ? 1 : 0);
}

/** A share of a whole in percent, without the sign; NONE of nothing. */
export function share(part, whole) {
  if (!known(part) || !known(whole) || whole === 0) return NONE;
  return percentage((100 * part) / whole);
}

export function percentage(n) {
  if (!known(n)) return NONE;
  if (n === 0) return "0";
  if (n > 0 && n < 0.01) return "<0.01";
  return sum(n, n !== 0 && Math.abs(n) < 1 ? 2 : 1);
}

export const percent = (text) => (text === NONE ? NONE : `${text}${THIN}%`);

/** A share, 0 to 1, in percent with its sign. */
export const inPercent = (part) => (known(part) ? percent(percentage(100 * part)) : NONE);

/** Bytes in the largest unit of which there is one: 1.5 MB. */
export function bytes(n) {
  if (!known(n)) return NONE;
  const i = Math.min(4, Math.floor(Math.log10(Math.max(1, n)) / 3)), size = n / 1000 ** i;
  return `${sum(size, i && size < 100 ? 1 : 0)}${THIN}${["B", "kB", "MB", "GB", "TB"][i]}`;
}

/** Dollars with three significant digits below one, so that small costs are seen. */
export function money(n, digits = moneyDigits([n], 3)) {
  if (!known(n)) return NONE;
  return (n < 0 ? MINUS : "") + "$" + decimals(digits).format(Math.abs(n));
}

/** Dollars for a headline or an axis: $42,856, $3.20, $0.0042. */
export const dollars = (n) => money(n, known(n) && Math.abs(n) >= 1000 ? 0 : moneyDigits([n], 3));

/** Nano-dollars, in full: what is added up must add up to the last digit. */
export function exact(nanos) {
  if (!known(nanos)) return NONE;
  const text = String(Math.abs(nanos)).padStart(10, "0");
  const cents = text.slice(-9).replace(/0+$/, "").padEnd(6, "0");
  return `${nanos < 0 ? MINUS : ""}$${decimals(0).format(Number(text.slice(0, -9)))}.${cents}`;
}

/** The decimals that show the smallest of several amounts in one column. */
export function moneyDigits(amounts, significant = 2) {
  const sizes = amounts.filter((n) => known(n) && n !== 0).map(Math.abs);
  if (!sizes.length) return 2;
  const least = Math.min(...sizes);
  return least >= 1 ? 2 : Math.min(6, Math.max(2, Math.ceil(-Math.log10(least)) + significant - 1));
}

/** The unit a duration is shown in, and its decimals. */
export function timeScale(ms) {
  if (!known(ms)) return { unit: "ms", per: 1, digits: 0 };
  if (ms >= 1000) return { unit: "s", per: 1000, digits: ms < 10_000 ? 2 : ms < 100_000 ? 1 : 0 };
  return { unit: "ms", per: 1, digits: ms < 1 ? 2 : ms < 10 ? 1 : 0 };
}

export const inScale = (ms, scale) => (known(ms) ? sum(ms / scale.per, scale.digits) : NONE);

export function duration(ms, scale = timeScale(ms)) {
  return known(ms) ? `${inScale(ms, scale)}${THIN}${scale.unit}` : NONE;
}

/** An age, coarsely: 4 s, 3 m 12 s, 2 h 5 m. */
export function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  const pair = (big, unit, small, smaller) => `${big}${THIN}${unit}` + (small ? ` ${small}${THIN}${smaller}` : "");
  if (s < 60) return `${s}${THIN}s`;
  if (s < 3600) return pair(Math.floor(s / 60), "m", s % 60, "s");
  if (s < 86_400) return pair(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "m");
  return pair(Math.floor(s / 86_400), "d", Math.floor((s % 86_400) / 3600), "h");
}

const ZONE = "busu-zone"; // where this browser keeps the choice
const isUTC = () => { try { return localStorage.getItem(ZONE) === "UTC"; } catch { return false; } };
const utc = isUTC();
const times = (parts) => new Intl.DateTimeFormat("en-GB", utc ? { ...parts, timeZone: "UTC" } : parts);

const hms = times({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = times({ day: "numeric", month: "short" });

/** A time of day, with the date when it is not today. */
export function clock(ms) {
  return (isToday(ms) ? "" : `${day.format(ms)} `) + hms.format(ms);
}

const ms3 = times({ hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const hm = times({ hour: "2-digit", minute: "2-digit" });
const long = times({ day: "numeric", month: "short", year: "numeric" });

/** A time to the millisecond: what can be read at once, and the rest of it. */
export function precise(ms) {
  const [whole, rest] = ms3.format(ms).split(".");
  return [(isToday(ms) ? "" : `${day.format(ms)} `) + whole, `.${rest}`];
}

export const isToday = (ms) => long.format(ms) === long.format(Date.now());

/** Hours and minutes. */
export const minute = (ms) => hm.format(ms);
export const shortDate = (ms) => day.format(ms);
export const date = (ms) => long.format(ms);

/** A time on an axis whose ticks are step milliseconds apart. */
export const tick = (ms, step) => (step >= 86_400_000 ? day.format(ms) : step >= 60_000 ? hm.format(ms) : hms.format(ms));

/** When an event was: the time today, the date before. */
export const when = (ms) => (isToday(ms) ? hm.format(ms) : day.format(ms));

const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The zone that times are in, and the other one that there is to choose, "" where that is the same. */
export const zone = (utc ? "UTC" : own).replaceAll("_", " "), otherZone = own === "UTC" ? "" : utc ? own.replaceAll("_", " ") : "UTC";

/** How far UTC is ahead of the zone at a time, in milliseconds. */
export const behindUTC = (ms) => (utc ? 0 : new Date(ms).getTimezoneOffset() * 60_000);

/** Changes to the other zone, in this browser. */
export function turnZone() {
  try {
    if (utc) localStorage.removeItem(ZONE);
    else localStorage.setItem(ZONE, "UTC");
  } catch { /* storage is off: it stays as it is */ }
  location.reload(); // what formats times is made once
}
