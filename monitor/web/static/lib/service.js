// Whether the service answers. A restart is said in a banner; what was asked meanwhile is asked again.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { root } from "./address.js";

const LOOK_MS = 1_000, MOST_MS = 30_000, CHECKED_MS = 10_000;
const listeners = new Set();
let isAway = false;
let isOld = false;
let isSeen = false;
let returns = 0;
let back = null;
let pauseMs = LOOK_MS;
let returnedMs = -Infinity;

let aheadMs = 0;

/** Note when the service has answered: silences begin and end by its clock, whatever the browser's says. */
export function noteTime(answer) {
  const ms = Date.parse(answer.headers.get("Date") ?? "");
  if (ms) aheadMs = Math.abs(ms - Date.now()) < 2_000 ? 0 : ms - Date.now();
}

/** The time now, in ms, as the service has it. */
export const serviceNow = () => Date.now() + aheadMs;

/** Note that a question had no answer; returns when the service answers again. */
export function away() {
  back ??= look();
  return back;
}

async function look() {
  isAway = true;
  tell();
  // Where the service is well and one question fails time and again, all others are not asked again each second.
  pauseMs = performance.now() - returnedMs < 2 * pauseMs ? Math.min(2 * pauseMs, MOST_MS) : LOOK_MS;
  do {
    await new Promise((done) => setTimeout(done, pauseMs));
  } while (!(await answers()));
  isOld = await isOfAnotherBuild();
  returnedMs = performance.now();
  isAway = false;
  back = null;
  returns += 1;
  tell();
}

async function answers() {
  try {
    const answer = await fetch(`${root}/healthz`, { cache: "no-store", signal: AbortSignal.timeout(CHECKED_MS) });
    isSeen ||= answer.ok;
    // A proxy may keep probes to itself: what it refuses from the first on says nothing of the service.
    return answer.ok || (!isSeen && answer.status < 500);
  } catch {
    return false;
  }
}

/** Whether the service has other files than this page is made of: those of its own build it lets browsers keep for ever. */
async function isOfAnotherBuild() {
  const answer = await fetch(new URL("../icon.svg", import.meta.url), { cache: "no-store" }).catch(() => null);
  return answer !== null && answer.ok && !(answer.headers.get("Cache-Control") ?? "").includes("immutable");
}

function tell() {
  listeners.forEach((listener) => listener());
}

/** `{isAway, isOld, returns}`: whether it is away, or has other pages than this, and how often it has come back. */
export function useService() {
  const [state, setState] = useState({ isAway, isOld, returns });
  useEffect(() => {
    const listener = () => setState({ isAway, isOld, returns });
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return state;
}

export function ServiceBanner() {
  const { isAway: away_, isOld: isFormer } = useService();
  useEffect(() => {
    // A page that asks nothing by itself would show for hours what there was before the service went away.
    const check = async () => { if (!document.hidden && !isAway && !(await answers())) away(); };
    const timer = setInterval(check, CHECKED_MS);
    return () => clearInterval(timer);
  }, []);
  return html`<div role="status">${away_ && html`<p class="banner"><strong>The service does not answer.</strong>
    It may be starting again. What you see is from before; the page goes on by itself as soon as it answers.</p>`}
    ${!away_ && isFormer && html`<p class="banner"><strong>The service has been changed.</strong> This page is of the version before: load it again.
      <button onClick=${() => location.reload()}>Load again</button></p>`}</div>`;
}
