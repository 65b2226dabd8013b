// How good a model is on two sides, by its labels: the difference in words, then every metric with its interval.
import { html, Card, State, Table } from "./ui.js";
import { useAsk } from "./api.js";
import { count, number, percent } from "./format.js";

const SHARES = ["accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f_beta", "ece", "mape", "smape", "interval_coverage"];
const isShare = ({ metric }) => SHARES.includes(metric) || metric.startsWith("skill:");
const FIRST = ["accuracy", "mae"], WORDS = { accuracy: "right", mae: "mean error" };

/** Write the value of a metric in its unit. */
export const writer = (row) => (row.currency ? (value) => `${number(value)} ${row.currency}` : isShare(row) ? percent : number);

/** Write its interval, or why there is none. */
export const interval = (row, written) => (row.low === null ? row.reason : `${written(row.low)} to ${written(row.high)}`);

/** Whether it is a table or a curve, and no number. */
export const isTable = (row) => row.better === "" && row.value === null && row.detail.length > 0;

const askedOf = (model, { from_ms: from, to_ms: to, version, segment }) => ({ model, from, to, version, segment });

/** Both sides as `/v1/compare` states them; a model without labels is asked for nothing. */
export function MetricSides({ model, current, baseline, hasLabels }) {
  const path = hasLabels ? "/v1/performance" : null;
  const now = useAsk(path, askedOf(model, current)), before = useAsk(path, askedOf(model, baseline));
  if (!hasLabels) return html`<p class="small quiet">How good the model is on either side is not known: it has no <code>spec.performance</code>, which says what its predictions are compared with.</p>`;
  const error = now.error ?? before.error;
  if (error) return html`<p class="small quiet">How good the model is on either side cannot be shown: ${error.detail}</p>`;
  if (!now.data || !before.data) return html`<p class="quiet" aria-busy="true">How good it was …</p>`;
  const pairs = paired(before.data.items, now.data.items);
  const silent = [["before", before], ["now", now]].filter(([, side]) => !side.data.items.some((row) => row.labels));
  if (silent.length) return html`<${Card} title="How good it was"><p>${silent.map(([name, side]) => `${name}: ${side.data.items[0]?.reason || "no labels"}`).join("; ")}.</p><//>`;
  const first = pairs.find(([row]) => FIRST.includes(row.metric)) ?? pairs[0];
  return html`<${Card} title="How good it was, before → now" aside=${html`<span class="small quiet">of predictions in whole hours</span>`}>
    <p class="first">${first && inWords(first)}</p>
    ${first && html`<p class="small quiet">${percent(first[0].coverage)} → ${percent(first[1].coverage)} of predictions have a label; those that come late may be of another kind.</p>`}
    <details><summary>Every metric</summary><${Table} caption="Metrics of both sides" keyOf=${([row]) => row.metric} rows=${pairs} columns=${[
      ["metric", (pair) => html`${pair[0].metric} ${areApart(pair) && html`<${State} of=${stateOf(pair)} label=${stateOf(pair) === "info" ? "differs" : null} />`}`],
      ["before", ([row]) => valueOf(row), true], ["now", ([, row]) => valueOf(row), true],
      ["labels", ([one, other]) => `${count(one.labels)} → ${count(other.labels)}`, true]]} /></details><//>`;
}

/** Metrics that both sides have, with both rows of each. */
function paired(before, now) {
  const later = new Map(now.map((row) => [row.metric, row]));
  return before.filter((row) => later.has(row.metric) && !isTable(row) && !isTable(later.get(row.metric))).map((row) => [row, later.get(row.metric)]);
}

function valueOf(row) {
  const written = writer(row);
  return html`<strong>${written(row.value)}</strong><small class="block">${interval(row, written)}</small>`;
}

/** Whether the intervals of both sides do not touch. */
const areApart = ([one, other]) => one.low !== null && other.low !== null && (one.high < other.low || other.high < one.low);

function stateOf([one, other]) {
  const size = (row) => (one.better === "zero" ? Math.abs(row.value) : row.value);
  if (!one.better) return "info";
  return (size(other) > size(one)) === (one.better === "higher") ? "better" : "worse";
}

function inWords(pair) {
  const [one, other] = pair, written = writer(one);
  const sure = one.low === null || other.low === null ? "" : areApart(pair) ? "; the 95 % intervals do not touch" : "; the 95 % intervals overlap, so this may be chance";
  return `${WORDS[one.metric] ?? one.metric} ${written(one.value)} → ${written(other.value)}, by ${count(one.labels)} and ${count(other.labels)} labels${sure}`;
}
