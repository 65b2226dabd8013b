// What happens to alerts, as it happens; and an order of rows that stays while somebody is at it.
import { useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { root, search } from "./address.js";
import { away } from "./service.js";

const STATES = ["pending", "firing", "updated", "resolved", "cancelled"];
const QUIET_MS = 300, REFUSED_MS = 30_000;

/**
 * Call back when alerts change, at most every 300 ms. The stream is closed while the page is not seen: browsers allow
 * six connections to a service without HTTP/2, and a dozen open tabs would take them all.
 */
export function useAlertStream(changed, { model } = {}) {
  const latest = useRef(changed);
  latest.current = changed;
  useEffect(() => {
    let source = null, timer = null, again = null, wasClosed = false;
    const happened = () => { timer ??= setTimeout(() => { timer = null; latest.current(); }, QUIET_MS); };
    const open = () => {
      if (source || document.hidden) return;
      source = new EventSource(`${root}/v1/alerts/stream${model ? `?${search({ model })}` : ""}`);
      STATES.forEach((state) => source.addEventListener(state, happened));
      source.onopen = () => { if (wasClosed) happened(); wasClosed = false; };
      source.onerror = () => {
        wasClosed = true;
        if (source.readyState !== EventSource.CLOSED) {
          away();
          return;
        }
        // The service answers, and refuses: there may be as many streams as it has room for. Look by the clock instead.
        close();
        again = setTimeout(() => { happened(); open(); }, REFUSED_MS);
      };
    };
    const close = () => { clearTimeout(again); source?.close(); source = null; };
    const seen = () => {
      if (document.hidden) { close(); wasClosed = true; } else open();
    };
    document.addEventListener("visibilitychange", seen);
    open();
    return () => { document.removeEventListener("visibilitychange", seen); clearTimeout(timer); close(); };
  }, [model]);
}

/**
 * Rows in an order that does not change while the pointer or the focus is on them: new ones come last meanwhile.
 * Returns the rows, and what to spread over the element that holds them.
 */
export function useSteadyOrder(rows, keyOf) {
  const [isBusy, setBusy] = useState(false);
  const order = useRef(new Map());
  if (!isBusy) order.current = new Map(rows.map((row, index) => [keyOf(row), index]));
  const at = (row) => order.current.get(keyOf(row)) ?? Infinity;
  const steady = isBusy ? [...rows].sort((a, b) => (at(a) === at(b) ? 0 : at(a) - at(b))) : rows;
  const handlers = {
    onPointerEnter: () => setBusy(true),
    onPointerLeave: () => setBusy(false),
    onFocusIn: () => setBusy(true),
    onFocusOut: () => setBusy(false),
  };
  return [steady, handlers];
}
