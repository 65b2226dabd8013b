// Two parts of a model's events: which signals differ most, and how.
import { html, address, Card, Crumbs, Failure, State, Table, Time, useMemo, useState, useTitle } from "../lib/ui.js";
import { apiAddress, useAsk } from "../lib/api.js";
import { isTime, spanOf, useQuery } from "../lib/address.js";
import { Distribution, movement } from "../lib/distribution.js";
import { count, number, percent, signalParts, times } from "../lib/format.js";
import { SpanChoice } from "../lib/span.js";

const DAY_MS = 86_400_000, MOST_DRAWN = 12;
const WAYS = [["before", "with the time before"], ["week", "with the same hours a week before"], ["version", "two versions"], ["segment", "two segments"], ["custom", "with a span of your own"]];

export default function Compare({ model }) {
  useTitle(`Compare ${model}`);
  const { query, change, href } = useQuery();
  const series = useAsk("/v1/series", { model });
  const all = series.data?.items ?? [];
  const newestMs = Math.max(0, ...all.map((row) => row.window_end_ms ?? 0)) || null;
  const span = spanOf({ span: "1d", ...query }, newestMs);
  const versions = useMemo(() => unique(all, "version"), [series.data]);
  const segments = useMemo(() => unique(all, "segment"), [series.data]);
  const sides = span && sidesOf(span, query);
  return html`<div>
    <${Crumbs} trail=${[["Models", address([])], [model, address(["models", model])], ["Compare"]]} />
    <div class="head"><div><h1>Compare ${model}</h1><p class="quiet">Two parts of its events, signal by signal: what differs most comes first.</p></div>
      <${SpanChoice} ...${{ span, query, change, href }} /></div>
    <${Failure} error=${series.error} retry=${series.reload} />
    ${series.data && !span && html`<${Card} title="Nothing is stored yet"><p>No window of this model has ended.</p><//>`}
    ${span && html`<${Choice} ...${{ query, change, versions, segments, sides }} />`}
    ${span && html`<${Difference} ...${{ model, sides, query }} />`}</div>`;
}

function unique(rows, name) {
  return [...new Set(rows.map((row) => row[name]))].sort();
}

/** The parameters of both sides, as `/v1/compare` takes them. */
function sidesOf(span, query) {
  const { way = "before", version = null, segment = "" } = query;
  const length = span.to - span.from;
  const shift = way === "week" ? Math.max(7, Math.ceil(length / (7 * DAY_MS)) * 7) * DAY_MS : length;
  const own = { from: span.from, to: span.to, version, segment };
  const isSpan = !["version", "segment"].includes(way);
  const [from, to] = [Number(query.against_from), Number(query.against_to)];
  const against = way === "custom" && [from, to].every(isTime) ? { against_from: from, against_to: to } : { against_from: span.from - shift, against_to: span.to - shift };
  if (isSpan) return { ...own, ...against };
  if (way === "version") return { ...own, against_version: query.against_version ?? null };
  return { ...own, against_segment: query.against_segment ?? "" };
}

function Choice({ query, change, versions, segments, sides }) {
  const { way = "before" } = query;
  const one = (label, name, options, none) => html`<label>${label}<select value=${query[name] ?? ""} onChange=${(event) => change({ [name]: event.target.value || null })}>
    <option value="">${none}</option>${options.filter(Boolean).map((each) => html`<option value=${each}>${each}</option>`)}</select></label>`;
  const local = (ms) => new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  const end = (label, name) => html`<label>${label}<input type="datetime-local" value=${local(sides[name])}
    onChange=${(event) => { const ms = new Date(event.target.value).getTime(); if (isTime(ms)) change({ against_from: sides.against_from, against_to: sides.against_to, [name]: ms }); }} /></label>`;
  return html`<section class="card row" aria-label="What is compared">
    <label>Compare<select value=${way} onChange=${(event) => change({ way: event.target.value })}>${WAYS.map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select></label>
    ${versions.length > 1 && one("version", "version", versions, "all versions")}
    ${way === "version" && one("beside version", "against_version", versions, "as on the other side")}
    ${segments.length > 1 && one("segment", "segment", segments, "all traffic")}
    ${way === "segment" && one("beside segment", "against_segment", segments, "all traffic")}
    ${way === "custom" && html`${end("before, from", "against_from")}${end("to", "against_to")}`}</section>`;
}

function named(part) {
  return html`<${Time} ms=${part.from_ms} /> to <${Time} ms=${part.to_ms} />${part.version ? `, version ${part.version}` : ""}${part.segment ? `, ${part.segment}` : ""}`;
}

function Difference({ model, sides, query }) {
  const parameters = { model, ...sides };
  const compared = useAsk("/v1/compare", { ...parameters, cells: true, limit: 200 });
  const [mostDrawn, setMostDrawn] = useState(MOST_DRAWN);
  const { data, error } = compared;
  if (error) return html`<${Failure} error=${error} retry=${compared.reload} />`;
  if (!data) return html`<div class="verdict" aria-busy="true"><p class="first">Adding both sides up …</p></div>`;
  const differing = data.items.filter((item) => item.strength >= 1);
  const drawn = data.items.filter((item) => item.cells).slice(0, mostDrawn);
  const linkOf = (item) => address(["models", model, "signals", item.signal], { version: query.version, segment: query.segment, from: sides.from, to: sides.to });
  return html`<div class=${compared.isLoading ? "stale" : ""}>
    <section class="verdict ${differing.length ? "warning" : "ok"}" aria-label="How much differs"><p class="first">${differing.length
      ? `${differing.length} of ${data.items.length} signals differ by more than what matters` : `None of ${data.items.length} signals differs by more than what matters`}</p>
      ${differing.length > 0 && html`<p>${leading(differing[0])}</p>`}
      <p class="small quiet">now: ${named(data.current)}<br />before: ${named(data.baseline)}</p>
      ${data.not_comparable?.length > 0 && html`<p class="small">Counted in other bins before, and so not comparable: ${data.not_comparable.join(", ")}</p>`}</section>
    <${Card} title="Ranked by divergence, before → now" aside=${html`<a class="button bare" href=${apiAddress("/v1/compare", { ...parameters, format: "csv" })} download="${model}-compared.csv">CSV</a>`}>
      <${Table} caption="Signals by divergence" keyOf=${(row) => row.signal} rows=${data.items} columns=${[
        ["signal", (row) => html`<a href=${linkOf(row)}>${row.signal}</a> ${row.strength >= 1 && html`<${State} of="warning" label="differs" />`}`],
        ["before → now", (row) => (row.cells ? movement(row.cells) : "")],
        ["strength", (row) => times(row.strength), true],
        ["distance", (row) => (row.detector ? `${row.detector} ${number(row.effect)}` : "–")],
        ["missing", (row) => `${percent(row.baseline_missing_rate)} → ${percent(row.missing_rate)}`, true],
        ["values", (row) => `${count(row.baseline_n)} → ${count(row.n)}`, true]]} /><//>
    <div class="grid">${drawn.map((item) => html`<${Card} key=${item.signal} title=${titleOf(item)}>
      <${Distribution} cells=${item.cells} before="before" after="now" label=${item.signal} /><//>`)}</div>
    ${drawn.length < data.items.filter((item) => item.cells).length && html`<button onClick=${() => setMostDrawn(mostDrawn + MOST_DRAWN)}>Draw more</button>`}</div>`;
}

function titleOf(item) {
  const { kind, name } = signalParts(item.signal);
  return `${kind === "feature" ? name : item.signal}: ${times(item.strength)}`;
}

function leading(item) {
  const from = item.cells && movement(item.cells);
  return `${item.signal} most${from ? `: ${from}` : ""}; ${item.detector} ${number(item.effect)}, ${times(item.strength)} what matters (${number(item.min_effect)}).`;
}
