// A signal: from what to what it has changed, how that went over time, and why it alarmed or did not.
import { html, address, Card, Choices, Crumbs, Facts, Failure, Pending, State, Table, Time, useEffect, useMemo, useState, useTitle } from "../lib/ui.js";
import { ask, useAsk, useUnanswered } from "../lib/api.js";
import { isTime, useQuery, windowSpanOf } from "../lib/address.js";
import { TimeChart } from "../lib/chart.js";
import { Contrasts, alertOf, inUnit, isBeyond, subject } from "../lib/contrasts.js";
import { Distribution, movement } from "../lib/distribution.js";
import { count, length, number, percent, signalParts, times as inThresholds } from "../lib/format.js";
import { useAlertStream } from "../lib/live.js";
import { Marks } from "../lib/mark.js";
import { useMarks } from "../lib/marks.js";
import { SpanChoice } from "../lib/span.js";

const REFRESH_MS = 30_000, DAY_MS = 86_400_000;
const CHANGE = "change";
const OUTCOMES = { alarmed: "drift", stands: "drift", quiet: "ok", learning: "learning", not_judged: "no_data" };
const OF_VECTORS = { mmd: "where the vectors lie", reconstruction: "how the numbers of a vector go together" };
const WORDS = { alarmed: "alarmed", stands: "still alarmed", quiet: "quiet", learning: "learning", not_judged: "not judged" };

export default function Signal({ model, signal }) {
  const { kind, name } = signalParts(signal);
  useTitle(`${name} of ${model}`);
  const { query, change, href } = useQuery();
  const { segment = "", version = null } = query;
  const series = useAsk("/v1/series", { model, signal }, { everyMs: REFRESH_MS });
  useAlertStream(series.reload, { model });
  const all = series.data?.items ?? [];
  const own = all.filter((row) => row.segment === segment && (!version || row.version === version));
  const newestMs = Math.max(0, ...own.map((row) => row.window_end_ms ?? 0)) || null;
  const span = windowSpanOf(query, newestMs);
  const chosenMs = isTime(Number(query.at)) ? Number(query.at) : null;
  const foremostMs = useForemost(chosenMs === null && span?.isCustom && newestMs && span.from < newestMs ? { model, signal, segment, version, from: span.from, to: span.to } : null);
  // What is behind the newest window has no verdict yet.
  const at = Math.min(chosenMs ?? foremostMs.at ?? Infinity, newestMs ?? Infinity);
  return html`<div>
    <${Crumbs} trail=${[["Models", address([])], [model, address(["models", model], { span: query.span, from: query.from, to: query.to })], [signal]]} />
    <div class="head"><div><h1>${name}</h1><p class="quiet">${kind || "signal"} of ${model}, ${segment ? `segment ${segment}` : "all traffic"}${version ? `, version ${version}` : ""}</p></div>
      <${SpanChoice} ...${{ span, query, change, href }} /></div>
    <${Pending} of=${series} />
    ${series.data && !newestMs && html`<${Card} title="Nothing is judged yet"><p>${all.length
      ? html`Of this segment no window was judged; there are <${Segments} ...${{ all, href }} />.` : "No window of this signal has ended."}</p><//>`}
    ${span && newestMs && foremostMs.isKnown && html`<${Window} ...${{ model, signal, segment, version, span, at, query, change, href }} reload=${series.reload} newestMs=${newestMs} />`}
    ${all.length > 0 && html`<${SeriesTable} ...${{ all, href }} />`}</div>`;
}

/** Which window of a span that was chosen is shown first: the last that alarmed, else the newest of it; none is asked for without a series. */
function useForemost(series) {
  const [state, setState] = useState({ key: null, at: null });
  const key = series && JSON.stringify(series);
  useEffect(() => {
    if (!key) return undefined;
    const control = new AbortController();
    lastAlarm(series, { signal: control.signal }).then((at) => setState({ key, at }), () => { if (!control.signal.aborted) setState({ key, at: null }); });
    return () => control.abort();
  }, [key]);
  const isKnown = !key || state.key === key;
  useUnanswered(!isKnown);
  return { at: key && isKnown ? state.at : null, isKnown };
}

async function lastAlarm(series, how) {
  const { items } = await ask("/v1/history", { ...series, step: "auto", points: 100, limit: 10000 }, how);
  const drifted = items.filter((item) => item.statuses.drift);
  const last = (drifted.length ? drifted : items).reduce((former, item) => (former && former.bucket_end_ms >= item.bucket_end_ms ? former : item), null);
  if (!last) return null;
  if (last.windows === 1) return last.worst.window_end_ms;
  const ends = { from: Math.max(series.from, last.bucket_start_ms + 1), to: Math.min(series.to, last.bucket_end_ms + 1) };
  const of = await ask("/v1/history", { ...series, ...ends, order: "desc", limit: 10000 }, how);
  const alarmed = (row) => row.status === "drift" && (row.detector !== CHANGE || row.surprise > row.surprise_limit);
  const shown = of.items.find(alarmed) ?? of.items.find((row) => row.status === "drift") ?? of.items[0];
  return shown?.window_end_ms ?? last.worst.window_end_ms;
}

function Segments({ all, href }) {
  const names = [...new Set(all.map((row) => row.segment))].slice(0, 20);
  return html`<span>${names.map((each) => html` <a href=${href({ segment: each })}>${each || "all traffic"}</a>`)}</span>`;
}

function Window({ model, signal, segment, version, span, at, query, change, href, reload, newestMs }) {
  // A window ends behind its last event: the moment before lies in it.
  const explained = useAsk("/v1/explain", { model, signal, segment, version, at: at - 1 });
  const window_ = explained.data;
  const [against, setAgainst] = useState("week");
  const beside = useBeside({ model, signal, segment, version, window: window_, against });
  return html`<div>
    <${Verdict} ...${{ model, signal, explained, beside, newestMs, href }} />
    <${Marks} ...${{ model, signal, segment, version }} atMs=${at < newestMs ? at - 1 : null} done=${() => { explained.reload(); reload(); }} />
    ${window_ && html`<div class="card-gap"><${Why} explained=${window_} /></div>`}
    <div class="card-gap"><${Band} ...${{ model, signal, segment, version, span, at, change, explained: window_ }} /></div>
    <div class="card-gap"><${Course} ...${{ model, signal, segment, version, span, at, change }} /></div>
    <div class="columns"><div><${Beside} ...${{ beside, against, setAgainst, signal }} /></div>
      <div><${Quality} beside=${beside} />${isDistributed(signal) && html`<${FindingList} ...${{ model, signal, version, span }} />`}</div></div></div>`;
}

/** First: from what to what, then what became of it, in words. */
function Verdict({ explained, beside, newestMs, href }) {
  if (explained.error) {
    return html`<div><${Failure} error=${explained.error} retry=${explained.reload} />
      <p><a href=${href({ at: null })}>Show the newest window</a></p></div>`;
  }
  const { data } = explained;
  if (!data) return html`<div class="verdict" aria-busy="true"><p class="first">Asking …</p></div>`;
  const tone = OUTCOMES[data.outcome];
  const [first, ...words] = data.words;
  return html`<section class="verdict ${tone} ${explained.isLoading ? "stale" : ""}" aria-label="What changed">
    <p class="first">${changed(data, beside.data)} <${State} of=${tone} label=${WORDS[data.outcome]} /></p>
    <p>The window <${Time} ms=${data.window_start_ms} /> to <${Time} ms=${data.window_end_ms} />, ${count(data.n)} events, version ${data.version || "unnamed"}${
      data.window_end_ms < newestMs && html` · <a href=${href({ at: null })}>the newest window</a>`}</p>
    ${words.length > 0 && html`<ul>${words.map((each) => html`<li>${each}</li>`)}</ul>`}
    ${data.alerts.length > 0 && html`<ul>${data.alerts.map((alert) => html`<li><a href=${address(["alerts", alert.alert_id])}>${alert.title}</a> <${State} of=${alert.state} />
      ${" "}since <${Time} ms=${alert.starts_ms} />${alert.receivers.length > 0 && html`; ${alert.receivers.map((each) => `${each.receiver}: ${each.why}`).join(", ")}`}</li>`)}</ul>`}</section>`;
}

/** What changed: of a vector how far it is from its baseline, else in units, by the rule's own contrast or by the distribution beside its baseline. */
function changed(explained, beside) {
  const distance = explained.scores.filter((row) => row.detector in OF_VECTORS && row.effect !== null).sort((a, b) => inMatters(b) - inMatters(a))[0];
  const contrast = subject(explained), said = explained.outcome === "quiet" ? null : saidOf(explained);
  if (said) return said;
  if (distance && !(contrast && isBeyond(contrast))) return html`distance by ${distance.detector}: ${number(distance.effect)}, ${inThresholds(inMatters(distance))} what matters`;
  if (contrast) return html`${contrast.contrast}: ${inUnit(contrast.expected, contrast.unit)} → ${inUnit(contrast.actual, contrast.unit)}`;
  if (!beside?.baseline) return "";
  if (beside.kind === "numeric") return html`mean ${number(beside.baseline.mean)} → ${number(beside.current.mean)}`;
  return movement(beside.cells);
}

/** What the alert says that a window is about, where the window's own figures do not: of an answer that is stuck, or of a contrast without a value. */
function saidOf({ alerts, contrasts, signal }) {
  const { failure, answer, answer_before: before, answer_after: after, contrast, reason } = alertOf(alerts) ?? {};
  if (STUCK[failure] && answer && before !== null && after !== null) return `${STUCK[failure]} ${answer}: ${percent(before)} → ${percent(after)} of its answers`;
  const own = contrasts.find((each) => each.contrast === contrast);
  if (!own || own.actual !== null || contrasts.some(isBeyond) || !reason) return null;
  return reason.replace(`${signal}: `, "").split(", since ")[0];
}

const STUCK = { stuck: "stuck at", fallback: "answers more often by its default" };
const inMatters = (row) => row.effect / row.min_effect;

/** What was expected over time, as the band within which nothing alarms, with what there was on it. */
function Band({ model, signal, segment, version, span, at, change, explained }) {
  const [chosen, choose] = useState(null);
  const [names, setNames] = useState([]);
  // The names of a signal's contrasts stand with the window that is explained, unless it was only learned from.
  const own = explained?.contrasts ?? [];
  useEffect(() => { if (own.length) setNames(own.map((each) => each.contrast)); }, [explained]);
  const contrast = names.includes(chosen) ? chosen : (explained && subject(explained)?.contrast) ?? names[0] ?? null;
  const asked = useAsk(explained ? "/v1/expected" : null, { model, signal, segment, version, contrast, from: span.from, to: span.to, points: 400 }, { everyMs: REFRESH_MS });
  const marks = useMarks(model, span);
  const all = asked.data?.items ?? [];
  const shown = contrast ?? all.at(-1)?.contrast;
  const rows = useMemo(() => all.filter((row) => row.contrast === shown), [asked.data, shown]);
  const course = useMemo(() => ({
    times: rows.map((row) => row.window_end_ms), actual: rows.map((row) => row.actual), expected: rows.map((row) => row.expected),
    low: rows.map((row) => row.alarms_below), high: rows.map((row) => row.alarms_above),
    alarmed: rows.map((row) => (row.outcome === "alarmed" && isBeyond(row) ? row.actual : null)),
  }), [rows]);
  if (asked.error) return html`<${Card} title="What was expected, and what there was"><${Failure} error=${asked.error} retry=${asked.reload} /><//>`;
  if (!asked.data || (!rows.length && !names.length)) return null;
  const unit = rows[0]?.unit;
  const written = (value) => inUnit(value, unit);
  const series = [{ label: "was", values: course.actual, tone: "after" }, { label: "expected at that hour", values: course.expected, tone: "before", dash: true }];
  const alarmed = { label: "alarmed by this", values: course.alarmed, tone: "drift", points: true, width: 0 };
  const aside = names.length > 1 && html`<label>Of<select value=${contrast} onChange=${(event) => choose(event.target.value)}>
    ${names.map((each) => html`<option value=${each}>${each}</option>`)}</select></label>`;
  return html`<${Card} title="What was expected, and what there was" aside=${aside}><div class=${asked.isLoading ? "stale" : ""}>
    <${TimeChart} title="${signal} of ${model}: ${shown ?? ""}" times=${course.times} marks=${marks} format=${written} at=${at}
      series=${course.alarmed.some((value) => value !== null) ? [...series, alarmed] : series} band=${{ label: "nothing alarms within", low: course.low, high: course.high }}
      onPick=${(ms) => change({ at: ms })} onSpan=${(from, to) => change({ from, to, span: null })} />
    <p class="small quiet">Within the band no window alarms by itself; evidence of several in a row adds up. Where the band has an end only, or none, nothing on that side is enough in one window, or an alarm stands.</p></div><//>`;
}

/** Effect against its threshold, or evidence against its own, over time. */
function Course({ model, signal, segment, version, span, at, change }) {
  const history = useAsk("/v1/history", { model, signal, segment, version, from: span.from, to: span.to, step: "auto", points: 400, limit: 10000 }, { everyMs: REFRESH_MS });
  const marks = useMarks(model, span);
  const [chosen, choose] = useState(null);
  const [what, setWhat] = useState(null);
  const items = history.data?.items ?? [];
  const detectors = useMemo(() => strongestFirst(items), [items]);
  const detector = detectors.includes(chosen) ? chosen : detectors[0];
  const courses = useMemo(() => courseOf(items.filter((item) => item.detector === detector), span.to), [items, detector]);
  const hasEvidence = courses.evidence.values.some((value) => value !== null) && courses.evidence.limits.some((value) => value);
  // Where there is evidence an effect alone alarms nobody, however large: of few events, or at a restless hour.
  const shown = hasEvidence ? what ?? "evidence" : "effect";
  const aside = html`<div class="row">${detectors.length > 1 && html`<label>Detector<select value=${detector} onChange=${(event) => choose(event.target.value)}>
      ${detectors.map((each) => html`<option value=${each}>${each}</option>`)}</select></label>`}
    ${hasEvidence && html`<div class="choices">${[["effect", "Effect"], ["evidence", "Evidence"]].map(([each, label]) =>
      html`<button aria-pressed=${String(shown === each)} onClick=${() => setWhat(each)}>${label}</button>`)}</div>`}</div>`;
  const course = courses[shown];
  const series = [{ label: shown === "effect" ? "effect" : "evidence, beyond its usual variation", values: course.values, tone: "series-1" },
    { label: "threshold", values: course.limits, tone: "threshold", dash: true }];
  const pick = async (ms) => change({ at: shown === "effect" ? ms : await mostEvident({ model, signal, segment, version, detector }, course, ms) });
  const drift = { label: "in drift", values: course.drift, tone: "drift", points: true, width: 0 };
  return html`<${Card} title=${shown === "effect" ? "Effect against its threshold" : "Evidence against its threshold"} aside=${aside} asked=${history}>
    ${history.data && html`<div class=${history.isLoading ? "stale" : ""}><${TimeChart} title="${signal} of ${model}: ${shown} by ${detector ?? "no detector"}" times=${course.times} marks=${marks} fromZero
      series=${course.hasDrift ? [...series, drift] : series} at=${at} onPick=${pick} onSpan=${(from, to) => change({ from, to, span: null })} /></div>
      <p class="small quiet">Click a point, or press Enter on it, to hear why that window alarmed or did not; draw over a part to look closer.${
        shown === "effect" && hasEvidence && " An effect beyond its threshold alarms with the evidence for it alone."}</p>`}<//>`;
}

/** The end of the window with the largest evidence of the bucket that a point stands for. */
async function mostEvident(series, { times, rows }, ms) {
  const bucket = rows[times.indexOf(ms)];
  if (!bucket || bucket.windows === 1 || series.detector !== CHANGE) return ms;
  const ends = { from: bucket.bucket_start_ms + 1, to: bucket.bucket_end_ms + 1 };
  const { items } = await ask("/v1/history", { ...series, ...ends, limit: 10000 }).catch(() => ({ items: [] }));
  const largest = items.reduce((former, row) => (former && (former.surprise ?? -Infinity) >= (row.surprise ?? -Infinity) ? former : row), null);
  return largest?.window_end_ms ?? ms;
}

function strongestFirst(items) {
  const strongest = new Map();
  items.forEach((item) => {
    const strength = (item.worst.effect ?? 0) / (item.worst.min_effect || 1) + (item.statuses.drift ? 1000 : 0);
    strongest.set(item.detector, Math.max(strongest.get(item.detector) ?? 0, strength));
  });
  return [...strongest.keys()].sort((a, b) => strongest.get(b) - strongest.get(a) || a.localeCompare(b));
}

/** The worst window of each bucket, of any version. */
function courseOf(items, toMs) {
  return { effect: seriesOf(items, (item) => item.worst.effect, "min_effect", toMs), evidence: seriesOf(items, evidenceOf, "surprise_limit", toMs) };
}

/** The largest evidence of a bucket: of `change` it is the statistic, and need not be that of the window with the largest effect. */
function evidenceOf({ detector, statistic_max: largest, worst }) {
  return worst.surprise === null || detector !== CHANGE ? worst.surprise : largest;
}

/** What was largest in each bucket, of the versions in drift where there are any, beside its threshold. A value of another window than the worst stands at the bucket's end. */
function seriesOf(items, valueOf, limit, toMs) {
  const largest = new Map();
  const isLarger = (one, other) => (isDrift(one) === isDrift(other) ? (valueOf(one) ?? -Infinity) > (valueOf(other) ?? -Infinity) : isDrift(one));
  items.forEach((item) => {
    const former = largest.get(item.bucket_end_ms);
    if (!former || isLarger(item, former)) largest.set(item.bucket_end_ms, item);
  });
  const rows = [...largest.values()];
  const timeOf = (row) => (row.windows === 1 || [row.worst.effect, row.worst.surprise].includes(valueOf(row)) ? row.worst.window_end_ms : Math.min(row.bucket_end_ms, toMs));
  return {
    rows, times: rows.map(timeOf), values: rows.map((row) => valueOf(row) ?? null), limits: rows.map((row) => row.worst[limit] ?? null),
    drift: rows.map((row) => (isDrift(row) ? valueOf(row) ?? null : null)), hasDrift: rows.some(isDrift),
  };
}

const isDrift = (item) => item.statuses.drift > 0;

/** Whether there may be a distribution: volume, coverage and metrics of performance are figures of a window. */
function isDistributed(signal) {
  return !["", "performance"].includes(signalParts(signal).kind);
}

const AGAINST = [["week", "the week before"], ["day", "the day before"], ["hours", "the same hours a week before"]];

/** The distribution of the window's day, or of what drifts, beside one from before. */
function useBeside({ model, signal, segment, version, window: shown, against }) {
  const isKept = shown && isDistributed(signal);
  const ends = isKept ? endsOf(shown, against) : {};
  return useAsk(isKept ? "/v1/distributions" : null, { model, signal: signal.replace(/^missing:/, "feature:"), segment, version, ...ends });
}

function endsOf({ window_start_ms: from, window_end_ms: to, alerts }, against) {
  // Of an alarm that stands: all that it is about so far, at most a day of it.
  const start = Math.max(to - DAY_MS, Math.min(from, ...alerts.map((alert) => alert.starts_ms)));
  if (against === "hours") return { from: start, to, against_from: start - 7 * DAY_MS, against_to: to - 7 * DAY_MS };
  return { from: start, to, against_from: start - (against === "day" ? 1 : 7) * DAY_MS, against_to: start };
}

function Beside({ beside, against, setAgainst, signal }) {
  const { data } = beside;
  if (!isDistributed(signal) || beside.error?.kind === "unknown-signal") return null;
  const aside = html`<label>Beside<select value=${against} onChange=${(event) => setAgainst(event.target.value)}>${AGAINST.map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select></label>`;
  const strongest = data?.distances[0], isVector = data?.kind === "vector";
  return html`<${Card} title="${isVector ? "Distance" : "Distribution"}, before and now" aside=${aside} asked=${beside}>
    ${data && html`<div class=${beside.isLoading ? "stale" : ""}><p class="small quiet">now: <${Time} ms=${data.current.from_ms} /> to <${Time} ms=${data.current.to_ms} />, ${count(data.current.n)} values;
        before: <${Time} ms=${data.baseline.from_ms} /> to <${Time} ms=${data.baseline.to_ms} />, ${count(data.baseline.n)} values</p>
      ${isVector ? html`<${Distances} distances=${data.distances} />` : html`<${Distribution} cells=${data.cells} before="before" after="now" label=${signal} />`}
      ${strongest && !isVector && html`<p class="small quiet">${strongest.detector} ${number(strongest.effect)}, ${inThresholds(strongest.effect / strongest.min_effect)} what matters (${number(strongest.min_effect)})</p>`}</div>`}<//>`;
}

/** Of a vector: there is no histogram of many numbers at once, but how far they are from those before. */
function Distances({ distances }) {
  return html`<${Table} caption="Distances of the vectors" rows=${distances.filter((row) => row.detector in OF_VECTORS && row.effect !== null)} empty="One side has too few vectors to compare." columns=${[
    ["distance", (row) => html`${row.detector}<small class="block">${OF_VECTORS[row.detector]}</small>`], ["is", (row) => number(row.effect), true],
    ["matters from", (row) => number(row.min_effect), true], ["that is", (row) => inThresholds(inMatters(row)), true]]} />`;
}

function Why({ explained }) {
  if (!explained.contrasts.length) return null;
  return html`<${Card} title=${explained.outcome === "quiet" ? "Why it did not alarm" : "Why it alarmed"}><${Contrasts} contrasts=${explained.contrasts} />
    ${explained.evidence !== null && html`<p class="small quiet">Evidence ${number(explained.evidence)}, threshold ${number(explained.threshold)}.</p>`}<//>`;
}

function Quality({ beside: { data } }) {
  if (!data?.baseline) return null;
  const share = (side, part) => (side.n + side.missing + side.invalid ? side[part] / (side.n + side.missing + side.invalid) : null);
  const fact = (label, part) => [label, html`${percent(share(data.baseline, part))} → ${percent(share(data.current, part))}`, `${count(data.current[part])} now`];
  return html`<${Card} title=${data.kind === "vector" ? "Missing and invalid" : "Missing and out of range"}><${Facts} of=${[fact("missing", "missing"), fact("invalid", "invalid"), ...(data.kind === "vector" ? [] : [fact("out of range", "out_of_range")])]} /><//>`;
}

function FindingList({ model, signal, version, span }) {
  const findings = useAsk("/v1/findings", { model, signal, version, from: span.from, to: span.to, limit: 50 });
  if (findings.error?.status === 403 || findings.error?.kind === "unknown-signal") return null;
  return html`<${Card} title="Findings, event by event" asked=${findings}>
    ${findings.data && html`<${Table} caption="Findings" rows=${findings.data.items} empty="No per-event detector fired in this span." columns=${[
      ["at", (row) => html`<${Time} ms=${row.event_ms} />`], ["detector", (row) => html`${row.detector} <${State} of=${row.status} />`],
      ...(findings.data.items.some((row) => row.segment) ? [["segment", (row) => row.segment || "all traffic"]] : []),
      ["value", (row) => number(row.value), true], ["log position", (row) => html`<code>${row.topic}/${row.partition}:${row.offset}</code>`]]} />`}<//>`;
}

function SeriesTable({ all, href }) {
  return html`<${Card} title="Segments and versions"><${Table} caption="Segments and versions" rows=${all} columns=${[
    ["segment", (row) => html`<a href=${href({ segment: row.segment, version: row.version })}>${row.segment || "all traffic"}</a>`], ["version", (row) => row.version || "–"],
    ["detector", (row) => row.detector], ["state", (row) => html`<${State} of=${row.state} />${row.reason && html`<br /><span class="small quiet">${row.reason}</span>`}`],
    ["newest window", (row) => html`<${Time} ms=${row.window_end_ms} />`]]} /><//>`;
}
