// How good a model is, by its labels: every metric with its interval, what estimators say before labels come, and how many there are.
import { html, address, Card, Crumbs, Facts, Pending, State, Table, Time, useTitle } from "../lib/ui.js";
import { spanOf, useQuery } from "../lib/address.js";
import { useAsk } from "../lib/api.js";
import { TimeChart } from "../lib/chart.js";
import { count, length, percent } from "../lib/format.js";
import { MetricChart, grouped, stepOf } from "../lib/metric.js";
import { interval, isTable, writer } from "../lib/metricsides.js";
import { SpanChoice } from "../lib/span.js";

const REFRESH_MS = 60_000;
const MOST_NAMED = 5;
const BETTER = { higher: "higher is better", lower: "lower is better", zero: "nearer to 0 is better", "": "" };

export default function Performance({ model }) {
  useTitle(`${model}: performance`);
  const { query, change, href } = useQuery();
  const detail = useAsk(`/v1/models/${encodeURIComponent(model)}`);
  const newestMs = Math.max(0, ...(detail.data?.series ?? []).map((each) => each.window_end_ms));
  const span = spanOf(query, newestMs || (detail.data ? Date.now() : 0));
  return html`<div>
    <${Crumbs} trail=${[["Models", address([])], [model, address(["models", model], { span: query.span, from: query.from, to: query.to })], ["Performance"]]} />
    <div class="head"><h1>${model}: performance by labels</h1>${span && html`<${SpanChoice} ...${{ span, query, change, href }} />`}</div>
    <${Pending} of=${detail} />
    ${span && html`<${Figures} model=${model} span=${span} query=${query} />`}</div>`;
}

function Figures({ model, span, query }) {
  const of = { model, from: span.from, to: span.to, version: query.version, segment: query.segment };
  const all = useAsk("/v1/performance", of, { everyMs: REFRESH_MS });
  const steps = useAsk("/v1/performance", { ...of, step: stepOf(span) }, { everyMs: REFRESH_MS });
  const versions = useAsk("/v1/performance", { ...of, version: null, by: "version" });
  const labels = useAsk("/v1/labels", { ...of, step: stepOf(span) }, { everyMs: REFRESH_MS });
  const estimates = useAsk("/v1/estimates", { ...of, step: stepOf(span) }, { everyMs: REFRESH_MS });
  if (all.error || !all.data) return html`<${Pending} of=${all} />`;
  if (!steps.data) return html`<${Pending} of=${steps} />`;
  const scalars = all.data.items.filter((row) => !isTable(row));
  const points = grouped(steps.data.items);
  const estimated = grouped(estimates.data?.items ?? []);
  return html`<div>
    <${Verdict} rows=${scalars} apart=${apart(versions.data?.items ?? [])} />
    <div class="grid">${scalars.map((row) => html`<${Metric} key=${row.metric} row=${row} points=${points.get(row.metric) ?? []} estimates=${estimated.get(row.metric) ?? []} />`)}
      ${labels.data && html`<${Coverage} rows=${labels.data.items} />`}</div>
    ${versions.data && html`<${Versions} rows=${versions.data.items.filter((row) => !isTable(row))} />`}</div>`;
}

/** Metrics whose intervals of two versions do not touch. */
function apart(rows) {
  const pairs = [...grouped(rows.filter((row) => row.low !== null))].map(([metric, of]) => {
    const sorted = [...of].sort((one, other) => one.value - other.value), [least, most] = [sorted[0], sorted.at(-1)];
    return { metric, of, isApart: of.length > 1 && least.high < most.low };
  });
  return pairs.filter(({ isApart }) => isApart).slice(0, MOST_NAMED);
}

function Verdict({ rows, apart: different }) {
  const bad = rows.filter((row) => row.too_good || row.verdict === "worse" || row.verdict === "no_better");
  const [{ coverage, predictions, delay_median_ms: delayMs } = {}] = rows;
  const within = delayMs === null ? "" : `, half of them within ${length(delayMs)}`;
  return html`<section class="verdict ${bad.length || different.length ? "warning" : ""}" aria-label="What stands out">
    <p class="first">${!predictions ? "There are no predictions in this time" : `${percent(coverage)} of ${count(predictions)} predictions have a label by now${within}`}</p>
    ${(bad.length > 0 || different.length > 0) && html`<ul>
      ${bad.map((row) => html`<li><strong>${row.metric}</strong>: ${row.reason}</li>`)}
      ${different.map(({ metric, of }) => html`<li><strong>${metric}</strong> differs by version: ${of.map((row) => `${row.version || "without a version"} ${writer(row)(row.value)}`).join(", ")}</li>`)}</ul>`}</section>`;
}

function Metric({ row, points, estimates }) {
  const written = writer(row);
  return html`<${Card} title=${row.metric} aside=${html`<span class="small quiet">${BETTER[row.better]}</span>`}>
    <${Facts} of=${[[row.version ?? "in this time", written(row.value), interval(row, written)], ["labels", count(row.labels), `of ${count(row.predictions)} predictions`]]} />
    <${MetricChart} ...${{ row, points, estimates }} />
    ${muted(estimates).map((each) => html`<p key=${each.signal}><${State} of="muted" label="${each.signal} muted" /> since <${Time} ms=${each.muted_since_ms} />: ${each.muted_because}</p>`)}
    ${row.too_good && html`<p><${State} of="warning" label="too good" /> ${row.reason}</p>`}<//>`;
}

/** What estimators say last, of those that do not alarm as they have lost their fidelity. */
function muted(estimates) {
  const newest = new Map(estimates.map((each) => [each.signal, each]));
  return [...newest.values()].filter((each) => each.muted_since_ms !== null);
}

function Coverage({ rows }) {
  const shown = rows.filter((row) => row.version === null);
  return html`<${Card} title="Labels" aside=${html`<span class="small quiet">the last hours wait for theirs</span>`}>
    <${TimeChart} title="Predictions with a label" times=${shown.map((row) => row.to_ms)} format=${percent} height=${180} fromZero
      series=${[{ label: "with a label", values: shown.map((row) => row.coverage), tone: "series-3" }]} /><//>`;
}

function Versions({ rows }) {
  const versions = [...new Set(rows.map((row) => row.version))];
  const metrics = [...grouped(rows)];
  if (versions.length < 2) return null;
  const cell = (version) => ([, of]) => {
    const row = of.find((each) => each.version === version);
    return row && html`<strong>${writer(row)(row.value)}</strong><small class="block">${interval(row, writer(row))}</small>`;
  };
  return html`<${Card} title="Versions beside each other"><${Table} caption="Metrics by version" rows=${metrics} columns=${[
    ["metric", ([metric]) => metric], ...versions.map((version) => [version || "without a version", cell(version), true])]} /><//>`;
}
