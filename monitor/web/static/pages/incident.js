// An incident: what moved, since when, what may be behind it, who was notified, and what to do.
import { html, address, Card, Crumbs, Failure, OutsideLink, Pending, State, Table, Time, useCallback, useEffect, useMemo, useState, useTitle } from "../lib/ui.js";
import { ask, useAsk, useUnanswered } from "../lib/api.js";
import { useMay } from "../lib/account.js";
import { SAYS, Silence, SignalMarks, TakeOn, sinceOf } from "../lib/alert_acts.js";
import { ago, count, length, percent } from "../lib/format.js";
import { useAlertStream } from "../lib/live.js";
import { serviceNow } from "../lib/service.js";

const DAY_MS = 86_400_000;
const MOST_ALERTS = 20, MOST_SIGNALS = 50;

export default function IncidentPage({ incident: id }) {
  const incident = useAsk(`/v1/incidents/${encodeURIComponent(id)}`);
  const { details, error, reload: loadDetails } = useDetails(incident.data);
  const reload = () => { incident.reload(); loadDetails(); };
  useAlertStream(reload);
  useTitle(incident.data?.title ?? "Incident");
  if (!incident.data) {
    return html`<div><h1>Incident</h1><${Pending} of=${incident} /></div>`;
  }
  const shown = incident.data;
  const marks = details.flatMap((detail) => detail.marks);
  return html`<div>
    <${Crumbs} trail=${[["Models", address([])], ["Alerts", address(["alerts"])], ["Incident"]]} />
    <${Verdict} incident=${shown} details=${details} reload=${reload} />
    <${Failure} error=${error} retry=${loadDetails} />
    <${Moved} details=${details} incident=${shown} marks=${marks} reload=${reload} />
    <div class="grid"><${Causes} incident=${shown} /><${Course} incident=${shown} details=${details} marks=${marks} /></div>
    <${Notified} alerts=${shown.alerts} />
    ${shown.alerts.length > 1 && html`<${Alerts} incident=${shown} />`}</div>`;
}

/** What the API says of each alert: `{alert, notifications, acknowledged, marks}`; the alerts that fire first. */
function useDetails(incident) {
  const [state, setState] = useState({ details: [], error: null, of: "" });
  const [turn, setTurn] = useState(0);
  const ids = incident ? [...incident.alerts].sort(firingFirst).slice(0, MOST_ALERTS).map((alert) => alert.alert_id) : [];
  const key = ids.join(" ");
  useEffect(() => {
    if (!ids.length) return undefined;
    const control = new AbortController(), how = { signal: control.signal };
    const models = [...new Set(incident.alerts.map((alert) => alert.model))].filter(Boolean).slice(0, MOST_ALERTS);
    const asked = Promise.all([
      Promise.all(ids.map((id) => ask(`/v1/alerts/${encodeURIComponent(id)}`, {}, how))),
      // An alert that somebody posted may name a model that is none of ours.
      Promise.all(models.map((model) => ask("/v1/marks", { model, limit: 100 }, how).catch(() => ({ items: [] })))),
    ]);
    asked.then(([found, marks]) => {
      const said = marks.flatMap((page) => page.items);
      setState({ details: found.map((detail) => ({ ...detail, marks: said.filter((mark) => isAbout(mark, detail.alert)) })), error: null, of: key });
    }, (error) => { if (!control.signal.aborted) setState((former) => ({ ...former, error, of: key })); });
    return () => control.abort();
  }, [key, turn]);
  useUnanswered(state.of !== key);
  return { ...state, reload: useCallback(() => setTurn((former) => former + 1), []) };
}

const firingFirst = (one, other) => (one.state === other.state ? one.fired_ms - other.fired_ms : one.state === "firing" ? -1 : 1);

function isAbout(mark, alert) {
  return mark.alert_id === alert.alert_id || (mark.says === "accepted" && mark.model === alert.model
    && alert.signals.some((each) => each.signal === mark.signal) && mark.from_ms >= alert.starts_ms && mark.from_ms < (alert.ends_ms ?? Infinity));
}

function Verdict({ incident, details, reload }) {
  const isFiring = incident.state === "firing";
  const taken = details.filter((each) => each.acknowledged?.holds);
  const [cause] = incident.causes;
  return html`<section class="verdict ${incident.state}" aria-label="What is wrong">
    <div class="row"><${State} of=${incident.state} /><span>${incident.severity}, since <${Time} ms=${incident.starts_ms} />
      ${isFiring ? ` (${ago(incident.starts_ms)})` : html` until <${Time} ms=${incident.ends_ms} />, for ${length(incident.ends_ms - incident.starts_ms)}`}</span>
      ${taken.length > 0 && html`<${State} of="acknowledged" label="taken on by ${taken[0].acknowledged.created_by}" />`}</div>
    <h1 class="first">${incident.title}</h1>
    ${cause && html`<p>Likely cause: ${cause.reason}</p>`}
    <div class="row">
      ${isFiring && html`<${TakeOn} of="incidents" operation="POST /v1/incidents/{incident_id}/ack" id=${incident.id} isTaken=${taken.length > 0} done=${reload} />`}
      <${Silence} ids=${incident.alerts.map((alert) => alert.alert_id)} models=${incident.models} />
      <a class="button" href=${address(["alerts", incident.id])}>As a plain page</a></div></section>`;
}

function Moved({ details, incident, marks, reload }) {
  const rows = details.flatMap(({ alert }) => alert.signals.map((each) => ({ ...each, alert })));
  const [most, setMost] = useState(MOST_SIGNALS);
  const hasSegment = rows.some((row) => row.segment), hasVersion = rows.some((row) => row.version);
  const to = (row) => Math.min(row.alert.ends_ms ?? Infinity, serviceNow()) + 1;
  const columns = [
    ["what changed", (row) => html`<strong>${row.reason || row.signal}</strong>`],
    ["signal", (row) => row.signal && html`<a href=${address(["models", row.alert.model, "signals", row.signal],
      { segment: row.segment || null, version: row.version, from: sinceOf(row) - DAY_MS, to: Math.max(to(row), sinceOf(row) + 1) })}>${row.signal}</a>
      <small class="block">${row.alert.model}</small>`],
    hasSegment && ["segment", (row) => row.segment || "all traffic"],
    hasVersion && ["version", (row) => row.version],
    ["since", (row) => html`<${Time} ms=${row.onset_ms ?? row.since_ms ?? row.alert.starts_ms} />`],
    ["said of it", (row) => marks.filter((mark) => mark.signal === row.signal && mark.segment === row.segment && mark.model === row.alert.model)
      .map((mark) => html`<span class="block" title=${mark.reason}>${SAYS[mark.says]} (${mark.created_by})</span>`)],
  ].filter(Boolean);
  return html`<${Card} title="What changed">
    <${Table} caption="Signals that moved" columns=${columns} rows=${rows.slice(0, most)} empty="The alerts name no signals." />
    ${rows.length > most && html`<p><button onClick=${() => setMost(rows.length)}>Show all ${count(rows.length)} signals</button></p>`}
    ${incident.alerts.length > MOST_ALERTS && html`<p class="small quiet">Of ${count(MOST_ALERTS)} of the ${count(incident.alerts.length)} alerts, those that fire first.</p>`}
    <${SignalMarks} rows=${rows} done=${reload} /><//>`;
}

const KINDS = { deployment: "deployment", version: "a new version of", messages_lost: "messages lost of", alert: "alert", topic: "topic", together: "one after the other:" };
const nameOf = (cause) => `${KINDS[cause.kind] ?? cause.kind} ${cause.name}`;

function Causes({ incident }) {
  const { causes } = incident;
  return html`<${Card} title="What may be behind it">${causes.length ? html`<ol class="causes">${causes.map((cause) => html`<li>
      <div class="row spread"><strong>${cause.link ? html`<${OutsideLink} to=${cause.link}>${nameOf(cause)}<//>` : nameOf(cause)}</strong>
        <meter min="0" max="1" value=${cause.score} aria-label="how likely, from 0 to 1">${percent(cause.score)}</meter></div>
      <span>${cause.reason}</span></li>`)}</ol>`
    : html`<p class="quiet">No deployment, new version or loss of messages came before it. Announce the next one: <code>leeway deployments add</code>.</p>`}<//>`;
}

const TRANSITIONS = {
  firing: ({ severity, title }) => ({ tone: "drift", text: `fired (${severity}): ${title}` }),
  updated: ({ severity, title }) => ({ tone: "drift", text: `updated (${severity}): ${title}` }),
  resolved: ({ title }) => ({ tone: "ok", text: `over: ${title}` }),
  cancelled: ({ title }) => ({ tone: "ok", text: `cancelled: ${title}` }),
};

/** What became of an alert: every transition in its own words, as receivers got them; of one whose log is not at hand, how it stands. */
function stepsOfAlert(alert, transitions) {
  const logged = transitions.filter((each) => TRANSITIONS[each.state]).map((each) => ({ ms: each.at_ms, ...TRANSITIONS[each.state](each) }));
  const fired = logged.length ? logged : [{ ms: alert.fired_ms, tone: "drift", text: `fired, and stands as: ${alert.title}` }];
  const steps = [{ ms: alert.starts_ms, tone: "warning", text: `first window of: ${(transitions[0] ?? alert).title}` }, ...fired];
  if (alert.ends_ms !== null && !steps.some((each) => each.tone === "ok" && each.ms === alert.ends_ms)) {
    steps.push({ ms: alert.ends_ms, tone: "learning", text: `quiet from here on: ${alert.title}` });
  }
  return steps;
}

/** What happened, in order: `{ms, tone, text}`. */
function stepsOf(incident, details, marks) {
  const steps = incident.causes.filter((cause) => cause.at_ms).map((cause) => ({ ms: cause.at_ms, tone: "mark", text: nameOf(cause) }));
  const logs = new Map(details.map((detail) => [detail.alert.alert_id, detail.transitions]));
  for (const alert of incident.alerts) steps.push(...stepsOfAlert(alert, logs.get(alert.alert_id) ?? []));
  for (const { notifications, acknowledged } of details) {
    steps.push(...notifications.map((each) => ({ ms: each.at_ms, tone: each.outcome === "delivered" ? "learning" : "warning", text: `${each.receiver}: ${each.outcome}${each.reason && `, ${each.reason}`}` })));
    if (acknowledged) steps.push({ ms: acknowledged.at_ms, tone: "learning", text: `${acknowledged.created_by} took it on${acknowledged.comment && `: ${acknowledged.comment}`}` });
  }
  steps.push(...marks.map((mark) => ({ ms: mark.created_ms, tone: "ok", text: `${mark.created_by} said of ${mark.signal}: ${SAYS[mark.says].toLowerCase()}${mark.reason && `, ${mark.reason}`}` })));
  return steps.sort((one, other) => one.ms - other.ms);
}

function Course({ incident, details, marks }) {
  const steps = useMemo(() => stepsOf(incident, details, marks), [incident, details]);
  const [most, setMost] = useState(MOST_SIGNALS);
  return html`<${Card} title="What happened"><ol class="course">${steps.slice(0, most).map((step) => html`<li class=${step.tone}>
      <span class="when"><${Time} ms=${step.ms} /><small>${offset(step.ms - incident.starts_ms)}</small></span><span>${step.text}</span></li>`)}</ol>
    ${steps.length > most && html`<p><button onClick=${() => setMost(steps.length)}>Show all ${count(steps.length)} steps</button></p>`}<//>`;
}

const offset = (ms) => (ms === 0 ? "start" : ms < 0 ? `${length(-ms)} before` : `+${length(ms)}`);

function Notified({ alerts }) {
  const mayAsk = useMay("GET /v1/alerts/{alert_id}/explain");
  const [chosen, choose] = useState(null);
  const sorted = [...alerts].sort(firingFirst);
  const id = chosen ?? sorted[0].alert_id;
  const explained = useAsk(mayAsk ? `/v1/alerts/${encodeURIComponent(id)}/explain` : null);
  if (!mayAsk) return null;
  const aside = alerts.length > 1 && html`<label>Of<select value=${id} onChange=${(event) => choose(event.target.value)}>
    ${sorted.slice(0, 200).map((alert) => html`<option value=${alert.alert_id}>${alert.title}</option>`)}</select></label>`;
  return html`<${Card} title="Who was notified, and why or why not" aside=${aside}><${Failure} error=${explained.error} retry=${explained.reload} />
    ${explained.data && html`<${Table} caption="Receivers" rows=${explained.data.receivers} empty="No receiver would be notified of it: no route leads to one." columns=${[
      ["receiver", (row) => row.receiver],
      ["notified", (row) => html`<${State} of=${row.why === "delivered" ? "delivered" : row.why === "none" ? "no_data" : "pending"} label=${row.meaning} />`],
      ["because", (row) => row.detail],
      ["when", (row) => (row.at_ms === null ? "" : html`<${Time} ms=${row.at_ms} />`)]]} />`}<//>`;
}

function Alerts({ incident }) {
  return html`<${Card} title="${count(incident.alerts.length)} alerts belong to it"><${Table} caption="Alerts" rows=${incident.alerts.slice(0, 500)} keyOf=${(row) => row.alert_id} columns=${[
    ["state", (row) => html`<${State} of=${row.state} />`],
    ["alert", (row) => html`<a href=${address(["alerts", row.alert_id])}>${row.title}</a><small class="block">${row.severity}</small>`],
    ["model", (row) => (row.model ? html`<a href=${address(["models", row.model])}>${row.model}</a>` : "")],
    ["belongs here", (row) => row.because],
    ["fired", (row) => html`<${Time} ms=${row.fired_ms} />`],
    ["over", (row) => (row.ends_ms === null ? "" : html`<${Time} ms=${row.ends_ms} />`)]]} /><//>`;
}
