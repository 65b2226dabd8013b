// A metric of performance over time: by labels with its interval, and by estimators before labels come.
import { html } from "./ui.js";
import { TimeChart } from "./chart.js";
import { writer } from "./metricsides.js";

const HOUR_MS = 3_600_000, POINTS = 60;
const STEPS = [1, 2, 3, 6, 12, 24, 168];

/** The shortest step, in whole hours, that gives few enough points. */
export function stepOf(span) {
  const hours = (span.to - span.from) / HOUR_MS;
  return `${STEPS.find((step) => hours / step <= POINTS) ?? STEPS.at(-1)}h`;
}

/** Rows by their metric. */
export function grouped(rows) {
  const groups = new Map();
  rows.forEach((row) => groups.set(row.metric, [...(groups.get(row.metric) ?? []), row]));
  return groups;
}

/** `row` says what the metric is; `points` and `estimates` are of its steps. */
export function MetricChart({ row, points, estimates, marks = [] }) {
  const times = points.map((each) => each.to_ms);
  const at = new Map(estimates.map((each) => [each.to_ms, each]));
  const series = [{ label: "by labels", values: points.map((each) => each.value), tone: "series-1" }];
  if (estimates.length) series.push({ label: "estimated before", values: times.map((ms) => at.get(ms)?.estimate ?? null), tone: "series-4", dash: true });
  return html`<${TimeChart} title=${row.metric} times=${times} series=${series} marks=${marks} format=${writer(row)} height=${180}
    band=${{ label: "95 % interval", low: points.map((each) => each.low), high: points.map((each) => each.high) }} />`;
}
