// A model: what is wrong now and since when, and how every signal has been.
import { html, address, Card, Crumbs, Facts, Failure, OutsideLink, State, Table, Time, useMemo, useRef, useState, useTitle } from "../lib/ui.js";
import { apiAddress, useAsk } from "../lib/api.js";
import { spanOf, useQuery, windowSpanOf } from "../lib/address.js";
import { TimeChart } from "../lib/chart.js";
import { ago, count, length, number, percent, shortTime, signalParts, times } from "../lib/format.js";
import { HeatLegend, Heatmap } from "../lib/heatmap.js";
import { useAlertStream, useSteadyOrder } from "../lib/live.js";
import { useMarks } from "../lib/marks.js";
import { MetricChart, grouped, stepOf } from "../lib/metric.js";
import { isTable } from "../lib/metricsides.js";
import { savePicture } from "../lib/save.js";
import { SpanChoice } from "../lib/span.js";
import { colour } from "../lib/states.js";

const REFRESH_MS = 30_000;
const MOST_NAMED = 5;

export default function Model({ model }) {
  useTitle(model);
  const { query, change, href } = useQuery();
  const summary = useAsk("/v1/series/summary", { model }, { everyMs: REFRESH_MS });
  const alerts = useAsk("/v1/alerts", { model, state: "firing" });
  useAlertStream(() => { summary.reload(); alerts.reload(); }, { model });
  if (summary.error) return html`<h1>${model}</h1><${Failure} error=${summary.error} retry=${summary.reload} />`;
  const protection = summary.data?.items[0];
  const span = windowSpanOf(query, protection?.window_end_ms);
  const { version = null, segment = "" } = query;
  return html`<div>
    <${Crumbs} trail=${[["Models", address([])], [model]]} />
    <div class="head"><div><h1>${model}</h1>
      ${span && html`<p class="quiet">${segment ? `segment ${segment}` : "all traffic"}${version ? `, version ${version}` : ""},
        ${" "}<${Time} ms=${span.from} /> to <${Time} ms=${span.to} /></p>`}</div>
      <div class="row"><${SpanChoice} ...${{ span, query, change, href }} />
        <a class="button" href=${address(["models", model, "performance"], query)}>Performance</a>
        <a class="button" href=${address(["models", model, "compare"], query)}>Compare</a>
        <a class="button" href=${address(["models", model, "configuration"])}>Configuration</a></div></div>
    <${Verdict} alerts=${alerts} protection=${protection} />
    ${summary.data && !span && html`<${Card} title="Nothing is judged yet"><p>No window of this model has ended. Once its events come, the first one
      does within a window's length.</p><//>`}
    ${span && protection && html`<${Course} ...${{ model, span, version, segment, query, change, protection }} />`}</div>`;
}

function Course({ model, span, version, segment, query, change, protection }) {
  const parameters = { model, segment, version, from: span.from, to: span.to };
  const heat = useAsk("/v1/heatmap", parameters, { everyMs: REFRESH_MS });
  const marks = useMarks(model, span, protection.versions);
  // All else is asked once what is looked at first is there: at one time, each answer would wait for all of them.
  const isFirst = !heat.data && !heat.error;
  return html`<div><${Signals} ...${{ model, parameters, heat, query, marks }} />${!isFirst && html`
    <div class="columns"><div><${Movers} ...${{ model, span, segment, version, query }} /><${Volume} ...${{ model, span, version, segment, change, marks }} /></div>
      <div>${protection.metrics.length > 0 && html`<${Quality} ...${{ model, span: spanOf(query, protection.window_end_ms), segment, version, query, marks }} />`}<${Budget} protection=${protection} /><${Changes} marks=${marks} /></div></div>`}</div>`;
}

/** What is wrong now, since when, from what to what: the first thing that is read. */
function Verdict({ alerts, protection }) {
  if (alerts.error) return html`<${Failure} error=${alerts.error} retry=${alerts.reload} />`;
  if (!alerts.data || !protection) return html`<div class="verdict" aria-busy="true"><p class="first">Asking …</p></div>`;
  const firing = alerts.data.items;
  const notes = [
    protection.blind > 0 && html`<${State} of="blind" label="${protection.blind} blind" />`,
    protection.learning > 0 && html`<${State} of="learning" label="${protection.learning} learning" />`,
    html`<${State} of="protecting" label="${protection.protecting} protecting" />`,
  ];
  const since = firing.length ? Math.min(...firing.map((alert) => alert.starts_ms)) : null;
  return html`<section class="verdict ${firing.length ? "firing" : protection.blind ? "blind" : "ok"}" aria-label="What is wrong now">
    <p class="first">${firing.length
      ? html`${firing.length === 1 ? "One alert fires" : `${firing.length} alerts fire`}, since <${Time} ms=${since} /> <span class="quiet small">(${ago(since)})</span>`
      : protection.blind ? "Nothing fires, but not everything is seen." : "Nothing fires."}</p>
    ${firing.length > 0 && html`<ul>${firing.map((alert) => html`<li key=${alert.alert_id}><a href=${address(["alerts", alert.alert_id])}>${alert.title}</a>
      ${" "}<${State} of=${alert.severity} />${alert.acknowledged_by && html` <${State} of="acknowledged" label="taken on by ${alert.acknowledged_by}" />`}
      ${moved(alert).length > 0 && html`<br /><span class="small">${moved(alert).join(" · ")}</span>`}</li>`)}</ul>`}
    <p class="row">${notes} <span class="small quiet">newest window <${Time} ms=${protection.window_end_ms} /> (${ago(protection.window_end_ms)})</span></p></section>`;
}

/** What an alert says of its first signals, unless its title does. */
function moved(alert) {
  const reasons = alert.signals.map((each) => each.reason).filter((reason) => reason && !alert.title.includes(reason));
  const more = reasons.length - MOST_NAMED;
  return more > 0 ? [...reasons.slice(0, MOST_NAMED), `and ${more} more`] : reasons;
}

function Signals({ model, parameters, heat, query, marks }) {
  const [filter, setFilter] = useState("");
  const [isTable, setTable] = useState(false);
  const canvas = useRef(null);
  const rows = heat.data?.items ?? [];
  const matching = useMemo(() => rows.filter((row) => row.signal.toLowerCase().includes(filter.toLowerCase())), [rows, filter]);
  const [steady, handlers] = useSteadyOrder(matching, (row) => row.signal);
  const hrefOf = (row, from, to) => {
    // A cell leads to a day around it, where what is before and behind can be seen.
    const around = from === undefined ? query : { ...query, span: null, from: from - 43_200_000, to: to + 43_200_000, at: to };
    return address(["models", model, "signals", row.signal], around);
  };
  const picture = () => savePicture(canvas.current, {
    title: `${model}: drift of every signal`, ground: colour("surface"), ink: colour("text"), labels: { names: steady.map((row) => row.signal), top: 22, height: 20 },
  });
  const aside = html`<div class="row"><label>Filter<input type="search" value=${filter} onInput=${(event) => setFilter(event.target.value)} /></label>
    <button class="bare" aria-pressed=${String(isTable)} onClick=${() => setTable(!isTable)}>Table</button>
    ${!isTable && steady.length > 0 && html`<button class="bare" onClick=${picture}>PNG</button>`}
    <a class="button bare" href=${apiAddress("/v1/heatmap", { ...parameters, format: "csv" })} download="${model}.csv">CSV</a></div>`;
  return html`<${Card} title="Every signal, the strongest first" aside=${aside} asked=${heat}>
    <div class=${heat.isLoading && heat.data ? "stale" : ""} ...${handlers}>
    ${heat.data && !steady.length && html`<p class="empty">${filter ? "No signal has this in its name." : "No window of this span was judged."}</p>`}
    ${steady.length > 0 && (isTable
      ? html`<${Table} caption="Every signal" keyOf=${(row) => row.signal} rows=${steady} columns=${[
          ["signal", (row) => html`<a href=${hrefOf(row)}>${row.signal}</a>`],
          ["strongest", (row) => times(row.strength), true],
          ["windows in drift", (row) => `${count(row.drift_windows)} of ${count(row.windows)}`, true]]} />`
      : html`<${Heatmap} rows=${steady} nameOf=${nameOf} hrefOf=${hrefOf} marks=${marks} canvasRef=${canvas}
          label="Drift of ${steady.length} signals" /><${HeatLegend} />`)}</div><//>`;
}

function nameOf(row) {
  const { kind, name } = signalParts(row.signal);
  return kind === "feature" || !kind ? name : `${name} (${kind})`;
}

/** The series that moved most: of the segment that was chosen, else of every segment. */
function Movers({ model, span, segment, version, query }) {
  const alerts = useAsk("/v1/alerts", { model, from: span.from, to: span.to, limit: 200 });
  const top = useAsk("/v1/top", { model, segment: segment || null, version, from: span.from, to: span.to, limit: 8 });
  const reasonOf = (row) => reasonIn(alerts.data?.items ?? [], row);
  return html`<${Card} title=${`What moved most${segment ? `, segment ${segment}` : ""}`} asked=${top}>
    ${top.data && html`<${Table} caption="Signals that moved most" rows=${top.data.items} empty="Nothing was in drift." columns=${[
      ["signal", (row) => html`<a href=${address(["models", model, "signals", row.signal], { ...query, segment: row.segment || null, version: row.version, at: row.worst_ms })}>${nameOf(row)}</a>
        ${row.segment && html`<br /><span class="small quiet">${row.segment}</span>`}
        ${reasonOf(row) && html`<span class="small clamp" title=${reasonOf(row)}>${reasonOf(row)}</span>`}`],
      ["effect over threshold", (row) => times(row.strength), true],
      ["in drift", (row) => percent(row.drift_share), true],
      ["from", (row) => html`<${Time} ms=${row.first_drift_ms} />`]]} />`}<//>`;
}

/** What alerts say of a series, of no other segment or version: first the one that held when it was worst, then the latest. */
function reasonIn(alerts, row) {
  const held = (alert) => alert.starts_ms < row.worst_ms && row.worst_ms <= (alert.ends_ms ?? Infinity);
  const isOf = (each) => ["signal", "segment", "version"].every((name) => each[name] === row[name]);
  const of = alerts.filter((alert) => row.alert_ids.includes(alert.alert_id));
  return [...of.filter(held), ...of].flatMap((alert) => alert.signals.filter(isOf)).find((each) => each.reason)?.reason;
}

function Budget({ protection }) {
  const { false_alarms: stated, per_ms: per, accepted, alerts, marked_false: marked, days } = protection;
  return html`<${Card} title="False alarms: stated and real">
    <${Facts} of=${[
      ["accepted", stated === null ? "–" : `${number(stated)} per ${length(per)}`, stated === null ? "the configuration is not at hand" : `${number(accepted)} in these ${number(Math.round(days * 10) / 10)} days`],
      ["alerts fired", count(alerts), "true ones among them"],
      ["marked as false", count(marked), alerts ? `of ${count(alerts)}` : null]]} /><//>`;
}

function Volume({ model, span, version, segment, change, marks }) {
  const history = useAsk("/v1/history", { model, signal: "volume", segment, version, from: span.from, to: span.to, step: "auto", points: 120, limit: 5000 });
  const [ends, values] = useMemo(() => perBucket(history.data?.items ?? []), [history.data]);
  return html`<${Card} title="Events" asked=${history}>
    ${history.data && html`<${TimeChart} title="${model}: events per ${length(history.data.step_ms)}" times=${ends} marks=${marks} format=${count} fromZero
      series=${[{ label: `events per ${length(history.data.step_ms)}`, values, tone: "series-1" }]} onSpan=${(from, to) => change({ from, to, span: null })} />`}<//>`;
}

/** Events of each bucket: of one detector, and of all versions. */
function perBucket(items) {
  const [detector] = items.map((item) => item.detector);
  const sums = new Map();
  items.filter((item) => item.detector === detector).forEach((item) => sums.set(item.bucket_end_ms, (sums.get(item.bucket_end_ms) ?? 0) + item.n));
  return [[...sums.keys()], [...sums.values()]];
}

function Changes({ marks }) {
  return html`<${Card} title="Deployments and versions"><${Table} caption="Deployments and versions" rows=${marks} empty="None was announced, and no version began, in this span." columns=${[
    ["at", (row) => html`<${Time} ms=${row.at_ms} />`],
    ["what", (row) => html`<${OutsideLink} to=${row.link}>${row.label}<//>`],
    ["version", (row) => row.version]]} /><//>`;
}

/** How good the model is by its labels, and what estimators said before: the first metric, estimated ones before others. */
function Quality({ model, span, segment, version, query, marks }) {
  const of = { model, from: span.from, to: span.to, segment: segment || null, version, step: stepOf(span) };
  const metrics = useAsk("/v1/performance", of);
  const estimates = useAsk(metrics.data ? "/v1/estimates" : null, of);
  const estimated = grouped(estimates.data?.items ?? []);
  const byMetric = [...grouped((metrics.data?.items ?? []).filter((row) => !isTable(row)))];
  const [metric, points] = byMetric.find(([name]) => estimated.has(name)) ?? byMetric[0] ?? [];
  if (!metric || points.every((each) => each.value === null)) return null;
  return html`<${Card} title=${`Performance: ${metric}${segment ? `, segment ${segment}` : ""}`} aside=${html`<a href=${address(["models", model, "performance"], query)}>all metrics</a>`}>
    <${MetricChart} row=${points[0]} points=${points} estimates=${estimated.get(metric) ?? []} marks=${marks} /><//>`;
}
