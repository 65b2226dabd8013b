// The address as state: what is shown stands in the query, so that it can be shared and the back button works.
import { useEffect, useState } from "../vendor/htm-preact.js";

export const root = document.documentElement.dataset.root ?? "";

/** The address of one of our pages; names are escaped, empty parameters left out. */
export function address(parts, parameters = {}) {
  const path = parts.map((part) => encodeURIComponent(part)).join("/");
  const query = search(parameters);
  return `${root}/${path}${query && `?${query}`}`;
}

/** Parameters as a query; lists are repeated, what is null, undefined or empty is left out but for `segment`. */
export function search(parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && (each !== "" || name === "segment")) query.append(name, each);
    }
  }
  return query.toString();
}

/** The query now, and how to change it: `change({span: "1d"})` adds to the history, null removes. */
export function useQuery() {
  const [query, setQuery] = useState(read);
  useEffect(() => {
    const changed = () => setQuery(read());
    addEventListener("popstate", changed);
    return () => removeEventListener("popstate", changed);
  }, []);
  const href = (changes) => {
    const text = search({ ...read(), ...changes });
    return location.pathname + (text && `?${text}`);
  };
  const change = (changes, { replace = false } = {}) => {
    history[replace ? "replaceState" : "pushState"](null, "", href(changes));
    // Every component that reads the query hears of it.
    dispatchEvent(new PopStateEvent("popstate"));
  };
  return { query, change, href };
}

function read() {
  return Object.fromEntries(new URLSearchParams(location.search));
}

const LAST_MS = 253_402_300_799_999; // of the year 9999

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 };
export const SPANS = [["1d", "Day"], ["7d", "Week"], ["30d", "30 days"]];

/** Whether a number is a time in ms. */
export const isTime = (ms) => Number.isSafeInteger(ms) && ms > 0 && ms <= LAST_MS;

/**
 * The span of events that a query means: `from` and `to` (ms) where it names them, else `span` up to the end of the
 * newest window, which no event of it has reached. `null` where there is nothing yet.
 */
export function spanOf(query, newestMs) {
  const from = Number(query.from), to = Number(query.to);
  if ([from, to].every(isTime) && from < to) {
    return { from, to, isCustom: true, name: "" };
  }
  const name = /^\d{1,4}[mhd]$/.test(query.span ?? "") ? query.span : "7d";
  if (!newestMs) return null;
  return { from: newestMs - parseInt(name, 10) * UNITS[name.at(-1)], to: newestMs, isCustom: false, name };
}

/** When the windows of the events of a span end: what begins with it has none, what ends with it has its last one. */
export const endsOf = ({ from, to }) => ({ from: from + 1, to: to + 1 });

/** As `spanOf`, of windows by their ends. */
export function windowSpanOf(query, newestMs) {
  const span = spanOf(query, newestMs);
  return span && !span.isCustom ? { ...span, ...endsOf(span) } : span;
}
