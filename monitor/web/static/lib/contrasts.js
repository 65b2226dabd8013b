// Why a window alarmed or did not, contrast by contrast: what was expected, what there was, and what would have alarmed.
import { html, State } from "./ui.js";
import { count, number, percent } from "./format.js";

/** Write a value in the unit of its contrast. */
export function inUnit(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "share") return percent(value);
  if (unit === "events") return count(value);
  if (unit === "sd") return `${number(value)} sd`;
  return unit === "factor" ? `×${number(value)}` : number(value);
}

/** Whether a contrast is beyond what alarms by itself. */
export function isBeyond({ actual, alarms_below: below, alarms_above: above }) {
  return actual !== null && ((below !== null && actual < below) || (above !== null && actual > above));
}

/** How far a contrast is from what was expected, in the room that it has: from 1 on it alarms by itself. */
function reach({ expected, actual, alarms_below: below, alarms_above: above }) {
  if (actual === null || expected === null) return 0;
  const edge = actual < expected ? below : above;
  return edge === null || edge === expected ? 0 : (actual - expected) / (edge - expected);
}

/** The contrast that says most, null where none has a value. */
export function foremost(contrasts) {
  const known = contrasts.filter((each) => each.actual !== null && each.expected !== null);
  return [...known].sort((a, b) => reach(b) - reach(a))[0] ?? null;
}

/**
 * The contrast that an explained window is about: what alarmed in it by itself; else what the alert is about that holds in
 * it; else the one that says most.
 */
export function subject({ contrasts, alerts }) {
  const beyond = foremost(contrasts.filter(isBeyond));
  return beyond ?? contrasts.find((each) => each.contrast === alertOf(alerts)?.contrast && each.actual !== null) ?? foremost(contrasts);
}

/** The alert that a window is about: one that fires, the latest first. */
export function alertOf(alerts) {
  return [...alerts].sort((a, b) => (b.state === "firing") - (a.state === "firing") || b.starts_ms - a.starts_ms)[0];
}

const WIDE = 260;

export function Contrasts({ contrasts }) {
  if (!contrasts.length) return null;
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Contrasts"><table>
    <thead><tr><th scope="col">contrast</th><th scope="col" class="number">expected</th><th scope="col" class="number">was</th>
      <th scope="col">within what is quiet</th><th scope="col">alarms by itself</th></tr></thead>
    <tbody>${contrasts.map((each) => html`<tr><td>${each.contrast} ${isBeyond(each) && html`<${State} of="drift" label="beyond" />`}</td>
      <td class="number">${inUnit(each.expected, each.unit)}</td><td class="number"><strong>${inUnit(each.actual, each.unit)}</strong></td>
      <td><${Bullet} ...${each} /></td><td class="small">${edges(each)}</td></tr>`)}</tbody></table></div>`;
}

function edges({ alarms_below: below, alarms_above: above, unit }) {
  const parts = [below !== null && `below ${inUnit(below, unit)}`, above !== null && `above ${inUnit(above, unit)}`].filter(Boolean);
  return parts.join(" or ") || "never in one window";
}

/** A line from one end to the other: the quiet part shaded, a bar where it was expected, a dot where it was. */
function Bullet({ contrast, expected, actual, alarms_below: below, alarms_above: above, unit }) {
  const known = [expected, actual, below, above].filter((value) => value !== null && value !== undefined);
  if (known.length < 2) return html`<span class="quiet">–</span>`;
  const low = Math.min(...known), high = Math.max(...known), room = (high - low || 1) * 0.12;
  const x = (value) => ((value - low + room) / (high - low + 2 * room)) * WIDE;
  const [from, to] = [below === null ? 0 : x(below), above === null ? WIDE : x(above)];
  return html`<svg viewBox="0 0 ${WIDE} 22" width=${WIDE} height="22" role="img" aria-label="${contrast}: expected ${inUnit(expected, unit)}, was ${inUnit(actual, unit)}">
    <rect y="9" width=${WIDE} height="4" fill="var(--drift)" opacity=".45" />
    <rect x=${from} y="6" width=${Math.max(0, to - from)} height="10" fill="var(--ok-soft)" stroke="var(--ok)" />
    ${expected !== null && html`<rect x=${x(expected) - 1.5} y="3" width="3" height="16" fill="var(--before)" />`}
    ${actual !== null && html`<circle cx=${x(actual)} cy="11" r="5.5" fill="var(--${isBeyond({ actual, alarms_below: below, alarms_above: above }) ? "drift" : "after"})" stroke="var(--surface)" />`}</svg>`;
}
