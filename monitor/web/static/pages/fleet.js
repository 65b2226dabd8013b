// All models: what needs a look first. Thousands of them are a list of which only what is seen is laid out.
import { html, address, Pending, State, Time, useEffect, useMemo, useRef, useState, useTitle } from "../lib/ui.js";
import { useAsk } from "../lib/api.js";
import { useQuery } from "../lib/address.js";
import { ago, count, length, percent, signalParts, times } from "../lib/format.js";
import { useAlertStream, useSteadyOrder } from "../lib/live.js";
import { Spark } from "../lib/spark.js";

const REFRESH_MS = 30_000;
const FIRST_ROWS = 100;
const HEALTHS = [["firing", "fire"], ["rejected", "rejected"], ["silent", "silent"], ["learning", "learn"], ["fine", "fine"]];
const LOOKS = { firing: "firing", rejected: "blind", silent: "blind", learning: "learning", fine: "ok" };
const INCIDENTS = 5;

export default function Fleet() {
  useTitle("Models");
  const fleet = useAsk("/v1/fleet", {}, { everyMs: REFRESH_MS });
  const incidents = useAsk("/v1/incidents", { state: "firing", limit: INCIDENTS + 1 }, { everyMs: REFRESH_MS });
  useAlertStream(() => { fleet.reload(); incidents.reload(); });
  const models = fleet.data?.items ?? [];
  const { query, change } = useQuery();
  const shown = useMemo(() => models.filter((model) => matches(model, query)), [fleet.data, query]);
  return html`<div>
    <h1>Models</h1>
    <${Pending} of=${fleet} />
    <${Incidents} asked=${incidents} />
    ${fleet.data && (models.length ? html`<${Counts} models=${models} query=${query} change=${change} shown=${shown.length} />
      <${List} models=${shown} days=${(fleet.data.to_ms - fleet.data.from_ms) / 86_400_000} />` : html`<${Nothing} />`)}</div>`;
}

function Nothing() {
  return html`<div class="card"><h2>No model is watched yet</h2>
    <p><code>leeway init MODEL --from TOPIC</code> drafts the file of the first one, and <code>leeway check</code> says what it will do.</p></div>`;
}

function Incidents({ asked }) {
  if (!asked.data?.items.length) return html`<${Pending} of=${asked} />`;
  const open = asked.data.items.slice(0, INCIDENTS);
  const more = asked.data.items.length > INCIDENTS || asked.data.next_cursor;
  return html`<section class="card" aria-label="Open incidents"><h2>Open incidents</h2><ul class="incidents">
    ${open.map((each) => html`<li key=${each.id} class=${each.severity}>
      <a class="what" href=${address(["incidents", each.id])}>${each.title}</a>
      <span class="small quiet">${each.severity}, since <${Time} ms=${each.starts_ms} /> (${ago(each.starts_ms)})</span>
      ${each.causes[0] && html`<span class="small">Likely cause: ${each.causes[0].reason}</span>`}</li>`)}</ul>
    ${more && html`<p class="small"><a href=${address(["alerts"])}>All that fires</a></p>`}</section>`;
}

function matches(model, { health, namespace, owner, label, text }) {
  if (health && model.health !== health) return false;
  if (namespace && model.namespace !== namespace) return false;
  if (owner && model.owner !== owner) return false;
  if (label && !labelsOf(model).includes(label)) return false;
  if (!text) return true;
  const words = [model.model, model.namespace, model.owner, model.title, ...labelsOf(model)].join(" ").toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => words.includes(word));
}

const labelsOf = (model) => Object.entries(model.labels).map(([name, value]) => `${name}=${value}`);

function Filters({ models, query, change }) {
  const options = (of) => [...new Set(models.flatMap(of))].filter(Boolean).sort();
  const choice = (name, title, of) => {
    const values = options(of);
    return values.length > 1 && html`<label>${title}<select value=${query[name] ?? ""}
      onChange=${(event) => change({ [name]: event.target.value || null })}>
      <option value="">all</option>${values.map((value) => html`<option value=${value}>${value}</option>`)}</select></label>`;
  };
  return html`<form class="row filters" role="search" onSubmit=${(event) => event.preventDefault()}>
    <label>Find<input type="search" value=${query.text ?? ""} onInput=${(event) => change({ text: event.target.value || null }, { replace: true })} /></label>
    ${choice("namespace", "Namespace", (model) => [model.namespace])}
    ${choice("owner", "Owner", (model) => [model.owner])}
    ${choice("label", "Label", labelsOf)}</form>`;
}

function Counts({ models, query, change, shown }) {
  const counts = Object.fromEntries(HEALTHS.map(([health]) => [health, models.filter((each) => each.health === health).length]));
  const chip = (health, label) => html`<button aria-pressed=${(query.health ?? "") === health ? "true" : "false"}
    onClick=${() => change({ health: health || null })}>${label}</button>`;
  return html`<div class="row spread counts"><div class="choices" role="group" aria-label="Models by health">
      ${chip("", `All ${count(models.length)}`)}
      ${HEALTHS.filter(([health]) => counts[health]).map(([health, verb]) => chip(health, html`<${State} of=${LOOKS[health]} label="${count(counts[health])} ${verb}" />`))}</div>
    <${Filters} models=${models} query=${query} change=${change} />
    <span class="small quiet" role="status">${shown === models.length ? "" : `${count(shown)} of ${count(models.length)} shown`}</span></div>`;
}

function List({ models, days }) {
  const [most, setMost] = useState(FIRST_ROWS);
  const [steady, handlers] = useSteadyOrder(models, (model) => model.model);
  if (!models.length) return html`<p class="empty">No model is like that.</p>`;
  const hasLabels = models.some((model) => model.labelled !== null);
  return html`<div class="fleet card ${hasLabels ? "with-labels" : ""}"><div class="fleet-head" aria-hidden="true"><span>health</span><span>model</span><span>what</span>
      <span>drift, last ${Math.round(days)} days</span><span>furthest</span><span>newest</span>${hasLabels && html`<span>labelled</span>`}</div>
    <ul ...${handlers} aria-label="Models, what needs a look first">${steady.slice(0, most).map((model) => html`<${Row} key=${model.model} model=${model} hasLabels=${hasLabels} />`)}</ul>
    ${steady.length > most && html`<${More} left=${steady.length - most} show=${() => setMost((former) => former + 2 * FIRST_ROWS)} />`}</div>`;
}

/** Shows more when it comes into view; a button for who does not scroll. */
function More({ left, show }) {
  const button = useRef(null);
  useEffect(() => {
    const seen = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) show(); }, { rootMargin: "600px" });
    seen.observe(button.current);
    return () => seen.disconnect();
  }, [left]);
  return html`<p><button ref=${button} onClick=${show}>Show more of the ${count(left)} others</button></p>`;
}

function Row({ model, hasLabels }) {
  const { kind, name } = signalParts(model.signal);
  return html`<li>
    <span><${State} of=${LOOKS[model.health]} label=${model.health} /></span>
    <span class="name"><a href=${address(["models", model.model])}>${model.model}</a>
      <small>${[model.namespace, model.owner].filter(Boolean).map((each) => `${each} · `)}<a href=${address(["models", model.model, "configuration"])}>configuration</a></small></span>
    <span class="what">${model.health === "rejected" ? model.title : model.alerts > 0 && html`<a href=${address(["incidents", model.alert_id])}>${model.title}</a>
      <small>${model.severity}, since <${Time} ms=${model.since_ms} />${model.alerts > 1 && `, and ${count(model.alerts - 1)} more`}${takenOn(model)}</small>`}</span>
    <span><${Spark} strengths=${model.strengths} /></span>
    <span>${model.strength !== null && html`<strong>${times(model.strength)}</strong>
      <small><a href=${address(["models", model.model, "signals", model.signal])}>${name}</a>${kind && kind !== "feature" && ` (${kind})`}</small>`}</span>
    <span><${Fresh} model=${model} /></span>
    ${hasLabels && html`<span class="number">${model.labelled !== null && percent(model.labelled)}</span>`}</li>`;
}

const takenOn = (model) => (model.acknowledged === 0 ? "" : model.acknowledged === model.alerts ? ", taken on" : `, ${model.acknowledged} taken on`);

function Fresh({ model }) {
  if (model.health === "silent" && model.silent_ms) {
    return html`nothing for ${length(model.silent_ms)}${model.allowed_ms && html`<small>usually at most ${length(model.allowed_ms)}</small>`}`;
  }
  if (model.window_end_ms === null) return html`<span class="quiet">no window yet</span>`;
  return html`<${Time} ms=${model.window_end_ms} relative />${model.last_event_ms && html`<small>event <${Time} ms=${model.last_event_ms} relative /></small>`}`;
}
