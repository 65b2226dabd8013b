// Leeway itself: whether it works, how far it is, what it could not use, and what runs by the clock.
import { html, address, Card, Facts, Pending, State, Table, Time, useState, useTitle } from "../lib/ui.js";
import { tell, useAsk } from "../lib/api.js";
import { useMay } from "../lib/account.js";
import { Action } from "../lib/act.js";
import { ago, count, length } from "../lib/format.js";
import { useMetrics } from "../lib/metrics.js";

const REFRESH_MS = 10_000;
const LETTERS = 50, PARTITIONS = 100;
const LAG_S = 300;
const OF_PARTITIONS = ["leeway_lag_seconds", "leeway_lag_records", "leeway_checkpoint_age_seconds"];
const OF_PARTS = ["leeway_stage_failing", "leeway_notifications_waiting", "leeway_receiver_failing", "leeway_self_test_detects", "leeway_self_test_latency_seconds"];

export default function Pipeline() {
  useTitle("Pipeline");
  const ready = useAsk("/readyz", {}, { everyMs: REFRESH_MS });
  const status = useAsk(useMay("GET /v1/status") ? "/v1/status" : null, {}, { everyMs: REFRESH_MS });
  const samples = useMetrics([...OF_PARTITIONS, ...OF_PARTS], { everyMs: REFRESH_MS });
  return html`<div><div class="head"><h1>Pipeline</h1><span class="quiet small">of the process that answers; stored figures are of all</span></div>
    <${Readiness} ready=${ready} />
    <${Stages} ...${{ status, samples }} />
    <${Partitions} samples=${samples} />
    <${DeadLetters} />
    <${Jobs} /></div>`;
}

function Readiness({ ready }) {
  const { data, error } = ready;
  if (error?.kind === "not-ready") {
    return html`<section class="verdict drift" aria-label="Readiness"><p class="first">Leeway is not ready</p>
      <ul>${(error.document.reasons ?? [error.detail]).map((reason) => html`<li>${reason}</li>`)}</ul></section>`;
  }
  if (error || !data) return html`<${Pending} of=${ready} />`;
  return html`<section class="verdict ${data.notes.length ? "warning" : "ok"}" aria-label="Readiness"><p class="first">Leeway is ready${data.notes.length > 0 && ", but"}</p>
    ${data.notes.length > 0 && html`<ul>${data.notes.map((note) => html`<li>${note}</li>`)}</ul>`}</section>`;
}

const sumOf = (samples, name) => samples.filter((each) => each.name === name).reduce((sum, each) => sum + each.value, 0);
const firstOf = (samples, name) => samples.find((each) => each.name === name)?.value;

function Stages({ status, samples }) {
  if (!status.data) return html`<${Pending} of=${status} />`;
  const { roles = [], records, events, rejected, late, checkpoint_age_s: checkpointAgeS, self_test: test, unseen = [] } = status.data;
  const by = figures(samples);
  return html`<${Card} title="Stages"><${Facts} of=${[
      ["Roles", roles.join(", ") || "none"],
      ["Stages", by.stages],
      events !== undefined && ["Events", count(events), `of ${count(records)} messages since the start`],
      rejected !== undefined && ["Could not be used", count(rejected), `${count(late)} came late`],
      checkpointAgeS !== undefined && ["Checkpoint", `${length(checkpointAgeS * 1000)} old`],
      ["Notifications", by.notifications],
      ["Self-test", by.selfTest,
        test?.at_ms && html`<${Time} ms=${test.at_ms} relative />`],
    ]} />
    ${unseen.length > 0 && html`<h3>What does not come</h3><${Table} caption="Streams that are not seen" rows=${unseen.slice(0, PARTITIONS)} columns=${[
      ["model", (row) => html`<a href=${address(["models", row.model])}>${row.model}</a>`], ["stream", (row) => row.kind],
      ["topic", (row) => row.topic && `${row.topic}/${row.partition}`], ["is", (row) => row.standing],
      ["last event", (row) => html`<${Time} ms=${row.last_ms} relative />`]]} />`}<//>`;
}

/** What the metrics say of the parts; where they cannot be read, that. */
function figures(samples) {
  const state = (of, label) => html`<${State} of=${of} label=${label} />`;
  if (samples === null) {
    const unknown = state("no_data", "unknown");
    return { stages: unknown, notifications: unknown, selfTest: unknown };
  }
  const failing = samples.filter((each) => each.name === "leeway_stage_failing" && each.value > 0).map((each) => each.labels.stage);
  const silent = samples.filter((each) => each.name === "leeway_receiver_failing" && each.value > 0).map((each) => each.labels.receiver);
  const waiting = sumOf(samples, "leeway_notifications_waiting"), detects = firstOf(samples, "leeway_self_test_detects");
  return {
    stages: failing.length ? state("failed", `${failing.join(", ")} fail`) : state("ok", "all run"),
    notifications: silent.length ? state("failed", `${silent.join(", ")} takes nothing`) : waiting ? state("pending", `${count(waiting)} wait`) : state("ok", "none waits"),
    selfTest: detects === undefined ? state("no_data", "not run yet") : detects ? state("ok", "finds its drift") : state("failed", "finds nothing"),
  };
}

function Partitions({ samples }) {
  const rows = new Map();
  for (const { name, labels, value } of samples ?? []) {
    if (!OF_PARTITIONS.includes(name) || (labels.at ?? "read") !== "read") continue;
    const key = `${labels.topic}/${labels.partition}`;
    rows.set(key, { ...rows.get(key), topic: labels.topic, partition: labels.partition, [name]: value });
  }
  const clocks = useAsk("/v1/clocks", {}, { everyMs: REFRESH_MS });
  const sorted = [...rows.values()].sort((one, other) => (other.leeway_lag_seconds ?? 0) - (one.leeway_lag_seconds ?? 0));
  const ofClocks = [...(clocks.data?.items ?? [])].sort((one, other) => one.closed_ms - other.closed_ms);
  if (!sorted.length && !ofClocks.length) {
    return html`<${Card} title="Lag" asked=${clocks}>${clocks.data && html`<p class="empty">${samples ? "No partition is read yet." : "Metrics cannot be read."}</p>`}<//>`;
  }
  return html`<div class="grid">
    ${sorted.length > 0 && html`<${Card} title="Lag, the longest first"><${Table} caption="Lag of partitions" rows=${sorted.slice(0, PARTITIONS)} columns=${[
      ["partition", (row) => `${row.topic}/${row.partition}`],
      ["lag", (row) => html`<${State} of=${row.leeway_lag_seconds > LAG_S ? "warning" : "ok"} label=${row.leeway_lag_seconds === undefined ? "unknown" : length(row.leeway_lag_seconds * 1000)} />`],
      ["unread", (row) => count(row.leeway_lag_records), true],
      ["checkpoint", (row) => (row.leeway_checkpoint_age_seconds === undefined ? "" : `${length(row.leeway_checkpoint_age_seconds * 1000)} old`), true]]} /><//>`}
    ${ofClocks.length > 0 && html`<${Card} title="Event time, the furthest behind first"><${Table} caption="Event time of partitions" rows=${ofClocks.slice(0, PARTITIONS)} columns=${[
      ["model", (row) => html`<a href=${address(["models", row.model])}>${row.model}</a>`],
      ["partition", (row) => `${row.topic}/${row.partition}`],
      ["closed up to", (row) => html`<${Time} ms=${row.closed_ms} /><small class="block">${ago(row.closed_ms)}</small>`],
      ["late in 10 min", (row) => (row.events === null ? "" : `${count(row.late)} of ${count(row.events)}`), true]]} /><//>`}</div>`;
}

const placeOf = ({ topic, partition, offset }) => ({ topic, partition, offset });

function DeadLetters() {
  const letters = useAsk(useMay("GET /v1/dead-letters") ? "/v1/dead-letters" : null, { limit: LETTERS, payload: true });
  if (letters.data === null) return html`<${Pending} of=${letters} />`;
  const rows = letters.data.items, rejected = rows.filter((row) => row.action === "rejected");
  const retry = (places) => async () => {
    const { items } = await tell("POST", "/v1/dead-letters/retries", { places: places.map(placeOf) });
    const back = items.filter((each) => each.outcome === "retried").length;
    const left = [...new Set(items.filter((each) => each.outcome !== "retried").map((each) => each.detail || each.outcome))];
    return `${count(back)} of ${count(items.length)} put back on the stream${left.length ? `; not: ${left.join("; ")}` : ""}.`;
  };
  const about = "The messages are put back on their streams as they were. What made them unusable has to be gone, or they come back here.";
  const all = rejected.length > 1 && html`<${Action} needs="POST /v1/dead-letters/retries" label="Retry all that are shown" title="Retry" about=${about} send=${retry(rejected)} done=${letters.reload} />`;
  return html`<${Card} title="Dead letters, the latest first" aside=${all}><${Table} caption="Messages that could not be used" rows=${rows} empty="Every message could be used."
    keyOf=${(row) => `${row.topic}/${row.partition}/${row.offset}/${row.model}/${row.field}`} columns=${[
      ["when", (row) => (row.record_ms < 0 ? "" : html`<${Time} ms=${row.record_ms} />`)],
      ["message", (row) => html`${row.topic}/${row.partition} <small class="block">offset ${row.offset}</small>`],
      ["why", (row) => html`<strong>${row.reason.replaceAll("_", " ")}</strong>${row.field && ` of ${row.field}`}<small class="block">${row.detail}</small>
        <${Payload} of=${row} />`],
      ["model", (row) => row.model], ["counts", (row) => (row.action === "rejected" ? "nowhere" : "but for this field")],
      ["retries", (row) => row.retries || "", true],
      ["to do", (row) => row.action === "rejected" && html`<${Action} needs="POST /v1/dead-letters/retries" label="Retry" about=${about} send=${retry([row])} done=${letters.reload} />`]]} />
    ${letters.data.next_cursor && html`<p class="small quiet">The latest ${count(LETTERS)}; <code>leeway dead-letters list</code> shows all.</p>`}<//>`;
}

function Payload({ of: { payload, payload_base64: encoded, payload_bytes: bytes } }) {
  const [isOpen, setOpen] = useState(false);
  if (!bytes) return null;
  return html`<details onToggle=${(event) => setOpen(event.target.open)}><summary>the message, ${count(bytes)} bytes</summary>
    ${isOpen && html`<pre tabindex="0" aria-label="the message">${payload ?? `not text; in base64: ${encoded}`}</pre>`}</details>`;
}

function Jobs() {
  const jobs = useAsk(useMay("GET /v1/jobs") ? "/v1/jobs" : null, {}, { everyMs: REFRESH_MS });
  if (jobs.data === null) return html`<${Pending} of=${jobs} />`;
  const path = (job, what) => `/v1/jobs/${encodeURIComponent(job)}/${what}`;
  const why = (isRequired) => [{ name: "reason", label: "Why", isRequired }];
  const actions = ({ job, paused_since_ms: pausedMs }) => html`<span class="row">
    ${pausedMs === null && html`<${Action} needs="POST /v1/jobs/{job}/run" label="Run now" title="Run ${job} now" fields=${why(false)} done=${jobs.reload}
      send=${async (values) => { await tell("POST", path(job, "run"), values); return "Asked for."; }} />
    <${Action} needs="PUT /v1/jobs/{job}/pause" label="Pause" title="Pause ${job}" fields=${why(true)} done=${jobs.reload}
      send=${async (values) => { await tell("PUT", path(job, "pause"), values); return "Paused."; }} />`}
    ${pausedMs !== null && html`<${Action} needs="DELETE /v1/jobs/{job}/pause" label="Resume" title="Resume ${job}" fields=${why(false)} done=${jobs.reload}
      send=${async (values) => { await tell("DELETE", path(job, "pause"), undefined, values); return "Resumed."; }} />`}</span>`;
  return html`<${Card} title="Jobs"><${Table} caption="What runs by the clock" rows=${jobs.data.items} keyOf=${(row) => `${row.job}/${row.instance}`} columns=${[
    ["job", (row) => html`<strong>${row.job}</strong><small class="block">${row.summary}</small>`],
    ["every", (row) => length(row.every_ms), true],
    ["last run", (row) => (row.started_ms === null ? html`<span class="quiet">not yet</span>` : html`<${Time} ms=${row.started_ms} relative /><small class="block">${row.instance}</small>`)],
    ["outcome", (row) => html`${row.paused_since_ms !== null && html`<${State} of="silenced" label="paused" /><small class="block">by ${row.paused_by}: ${row.paused_reason}</small>`}
      ${row.outcome && html`<${State} of=${{ done: "ok", failed: "failed", running: "running" }[row.outcome] ?? "no_data"} label=${row.outcome} />`}
      ${row.reason && html`<small class="block">${row.reason}${row.failures > 1 && `, ${count(row.failures)} times in a row`}</small>`}`],
    ["took", (row) => (row.took_ms === null ? "" : length(row.took_ms)), true],
    ["to do", actions]]} /><//>`;
}
