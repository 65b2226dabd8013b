// Signals by how much two sides differ: a table, and the distributions of the first ones.
import { html, Card, State, Table, useState } from "./ui.js";
import { Distribution, movement } from "./distribution.js";
import { count, number, percent, signalParts, times } from "./format.js";

const MOST_DRAWN = 12;

/** Whether a difference matters. */
export const differs = (item) => item.strength >= 1;

/** Draw the items of `/v1/compare` or `/v1/slices`; `sides` are the words for both, `linkOf(item)` where a signal leads. */
export function Ranked({ items, sides: [before, after], linkOf, aside }) {
  const [mostDrawn, setMostDrawn] = useState(MOST_DRAWN);
  const drawable = items.filter((item) => item.cells);
  return html`<div>
    <${Card} title="Ranked by divergence, ${before} → ${after}" aside=${aside}>
      <${Table} caption="Signals by divergence" keyOf=${(row) => row.signal} rows=${items} columns=${[
        ["signal", (row) => html`<a href=${linkOf(row)}>${row.signal}</a> ${differs(row) && html`<${State} of="warning" label="differs" />`}`],
        [`${before} → ${after}`, (row) => (row.cells ? movement(row.cells) : "")],
        ["strength", (row) => times(row.strength), true],
        ["distance", (row) => (row.detector ? `${row.detector} ${number(row.effect)}` : "–")],
        ["missing", (row) => `${percent(row.baseline_missing_rate)} → ${percent(row.missing_rate)}`, true],
        ["values", (row) => `${count(row.baseline_n)} → ${count(row.n)}`, true]]} /><//>
    <div class="grid">${drawable.slice(0, mostDrawn).map((item) => html`<${Card} key=${item.signal} title=${titleOf(item)}>
      <${Distribution} cells=${item.cells} before=${before} after=${after} label=${item.signal} /><//>`)}</div>
    ${mostDrawn < drawable.length && html`<button onClick=${() => setMostDrawn(mostDrawn + MOST_DRAWN)}>Draw more</button>`}</div>`;
}

function titleOf(item) {
  const { kind, name } = signalParts(item.signal);
  return `${kind === "feature" ? name : item.signal}: ${times(item.strength)}`;
}

/** What differs most, in words. */
export function leading(item) {
  const from = item.cells && movement(item.cells);
  return `${item.signal} most${from ? `: ${from}` : ""}; ${item.detector} ${number(item.effect)}, ${times(item.strength)} what matters (${number(item.min_effect)}).`;
}
