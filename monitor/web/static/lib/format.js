// Numbers with their units, and times as people read them.
import { serviceNow } from "./service.js";

const PRECISE = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const DATED = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const NONE = "–";

/** A figure with four digits that count. */
export function number(value) {
  if (!isNumber(value)) return NONE;
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return value.toExponential(2);
  return size >= 10_000 ? WHOLE.format(value) : PRECISE.format(value);
}

/** How many, in few characters: 1.2M. */
export function count(value) {
  return isNumber(value) ? (Math.abs(value) < 10_000 ? WHOLE.format(value) : COMPACT.format(value)) : NONE;
}

/** A share as a percentage. */
export function percent(share) {
  if (!isNumber(share)) return NONE;
  const size = Math.abs(share * 100);
  return `${(share * 100).toFixed(size >= 99.95 || size === 0 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3)} %`;
}

/** An effect in thresholds. */
export function times(ratio) {
  return isNumber(ratio) ? `${ratio.toFixed(ratio < 10 ? 1 : 0)}×` : NONE;
}

/** A change in words: from what to what. */
export function change(before, after, unit = "") {
  const with_ = (value) => (unit === "%" ? percent(value) : `${number(value)}${unit && ` ${unit}`}`);
  return `${with_(before)} → ${with_(after)}`;
}

const LENGTHS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1_000], ["ms", 1]];

/** A length of time, to its two largest units. */
export function length(ms) {
  if (!isNumber(ms)) return NONE;
  const at = LENGTHS.findIndex(([, unit]) => Math.abs(ms) >= unit);
  if (at < 0) return "0 s";
  const [unit, size] = LENGTHS[at];
  const whole = Math.floor(Math.abs(ms) / size);
  const rest = LENGTHS[at + 1] ? Math.floor((Math.abs(ms) % size) / LENGTHS[at + 1][1]) : 0;
  return `${ms < 0 ? "−" : ""}${whole} ${unit}${rest && at < 3 && whole < 10 ? ` ${rest} ${LENGTHS[at + 1][0]}` : ""}`;
}

/** How long ago, or in how long. */
export function ago(ms, now = serviceNow()) {
  const passed = now - ms;
  return passed >= 0 ? `${length(passed)} ago` : `in ${length(-passed)}`;
}

/** A time in the viewer's zone, the year where it is another. */
export function shortTime(ms) {
  const date = new Date(ms);
  return (date.getFullYear() === new Date().getFullYear() ? DAY : DATED).format(date);
}

/** The same in UTC, in full: what is shown on hover. */
export function exactTime(ms) {
  return `${new Date(ms).toISOString().replace("T", " ").replace(".000Z", "")} UTC`.replace("Z UTC", " UTC");
}

/** A signal's kind and name: what stands before the first colon, and the rest. */
export function signalParts(signal) {
  const at = signal.indexOf(":");
  return at < 0 ? { kind: "", name: signal } : { kind: signal.slice(0, at), name: signal.slice(at + 1) };
}

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}
