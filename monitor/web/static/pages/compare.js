// Two parts of a model's events: which signals differ most, and how.
import { html, address, Card, Crumbs, Pending, Time, useMemo, useTitle } from "../lib/ui.js";
import { apiAddress, useAsk } from "../lib/api.js";
import { endsOf, isTime, spanOf, useQuery } from "../lib/address.js";
import { MetricSides } from "../lib/metricsides.js";
import { Divergences } from "../lib/diffmap.js";
import { differs, leading, Ranked } from "../lib/ranked.js";
import { Slices } from "../lib/slices.js";
import { SpanChoice } from "../lib/span.js";

const DAY_MS = 86_400_000;
const WAYS = [["before", "with the time before"], ["week", "with the same hours a week before"], ["version", "two versions"], ["segment", "two segments"], ["custom", "with a span of your own"], ["slices", "what it got wrong with the rest"]];

export default function Compare({ model }) {
  useTitle(`Compare ${model}`);
  const { query, change, href } = useQuery();
  const series = useAsk("/v1/series", { model });
  const detail = useAsk(`/v1/models/${encodeURIComponent(model)}`);
  const all = series.data?.items ?? [];
  const newestMs = Math.max(0, ...all.map((row) => row.window_end_ms ?? 0)) || null;
  const span = spanOf({ span: "1d", ...query }, newestMs);
  const versions = useMemo(() => unique(all, "version"), [series.data]);
  const segments = useMemo(() => unique(all, "segment"), [series.data]);
  const sides = span && sidesOf(span, query);
  const linkOf = (item) => address(["models", model, "signals", item.signal], { version: query.version, segment: query.segment, ...endsOf(sides) });
  return html`<div>
    <${Crumbs} trail=${[["Models", address([])], [model, address(["models", model])], ["Compare"]]} />
    <div class="head"><div><h1>Compare ${model}</h1><p class="quiet">Two parts of its events, signal by signal: what differs most comes first.</p></div>
      <${SpanChoice} ...${{ span, query, change, href }} /></div>
    <${Pending} of=${series.error || !series.data ? series : detail} />
    ${series.data && !span && html`<${Card} title="Nothing is stored yet"><p>No window of this model has ended.</p><//>`}
    ${span && html`<${Choice} ...${{ query, change, versions, segments, sides }} />`}
    ${span && query.way === "slices" && html`<${Slices} ...${{ model, sides, query, change, linkOf }} />`}
    ${span && query.way !== "slices" && detail.data && html`<${Difference} ...${{ model, sides, linkOf, segments, hasLabels: detail.data.configuration.spec.performance !== null }} />`}</div>`;
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
    <option value="">${none}</option>${[...new Set([...options, query[name]])].filter(Boolean).map((each) => html`<option value=${each}>${each}</option>`)}</select></label>`;
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

function Difference({ model, sides, linkOf, segments, hasLabels }) {
  const parameters = { model, ...sides };
  const compared = useAsk("/v1/compare", { ...parameters, cells: true, limit: 200 });
  const { data } = compared;
  if (compared.error || !data) return html`<${Pending} of=${compared} words="Adding both sides up …" />`;
  const differing = data.items.filter(differs);
  return html`<div class=${compared.isLoading ? "stale" : ""}>
    <section class="verdict ${differing.length ? "warning" : data.items.length ? "ok" : ""}" aria-label="How much differs"><p class="first">${!data.items.length ? "There is no signal of which both sides have events" : differing.length
      ? `${differing.length} of ${data.items.length} signals differ by more than what matters` : `None of ${data.items.length} signals differs by more than what matters`}</p>
      ${differing.length > 0 && html`<p>${leading(differing[0])}</p>`}
      <p class="small quiet">now: ${named(data.current)}<br />before: ${named(data.baseline)}</p>
      ${data.not_comparable?.length > 0 && html`<p class="small">Counted in other bins before, and so not comparable: ${data.not_comparable.join(", ")}</p>`}</section>
    <${MetricSides} ...${{ model, current: data.current, baseline: data.baseline, hasLabels }} />
    <${Ranked} items=${data.items} sides=${["before", "now"]} linkOf=${linkOf}
      aside=${html`<a class="button bare" href=${apiAddress("/v1/compare", { ...parameters, format: "csv" })} download="${model}-compared.csv">CSV</a>`} />
    <${Divergences} ...${{ model, sides, compared: data, segments }} /></div>`;
}
