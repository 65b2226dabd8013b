// Alerts: what fires first, then what is over, found by words and by what they are, with what can be done about each.
import { html, address, Card, Choices, State, Time, useEffect, useState, useTitle } from "../lib/ui.js";
import { Silence, SignalMarks, TakeOn } from "../lib/alert_acts.js";
import { useAsk } from "../lib/api.js";
import { isTime, useQuery } from "../lib/address.js";
import { ago, count, length } from "../lib/format.js";
import { useAlertStream, useSteadyOrder } from "../lib/live.js";
import { serviceNow } from "../lib/service.js";

const REFRESH_MS = 60_000, PAGE = 50, MOST = 3_200, TYPED_MS = 400;
const STATES = [["", "All"], ["firing", "Firing"], ["resolved", "Over"]];
const SEVERITIES = ["critical", "warning", "info"];
const TIMES = [["", "any time"], ["1", "the last day"], ["7", "the last week"], ["30", "the last 30 days"]];
const HOUR_MS = 3_600_000;

export default function Alerts() {
  useTitle("Alerts");
  const { query, change, href } = useQuery();
  const [turn, setTurn] = useState(0);
  useAlertStream(() => setTurn((former) => former + 1));
  const { state = "", model, namespace, severity, text } = query;
  const parameters = { model, namespace, severity, text, ...spanOf(query) };
  return html`<div><h1>Alerts</h1>
    <div class="row spread"><${Choices} label="State" of=${STATES} value=${state} href=${(each) => href({ state: each || null })} onChoose=${(each) => change({ state: each || null })} />
      <${Filters} query=${query} change=${change} /></div>
    ${STATES.slice(1).filter(([each]) => !state || state === each).map(([each, title]) =>
      html`<${List} key=${each + JSON.stringify(parameters)} turn=${turn} title=${title} parameters=${{ ...parameters, state: each }} isFiltered=${Object.values(parameters).some(Boolean)} />`)}</div>`;
}

/** The time that is asked for: whole hours, so that it stays the same while somebody reads. */
function spanOf({ days, from, to }) {
  const ends = { from: isTime(Number(from)) ? Number(from) : null, to: isTime(Number(to)) ? Number(to) : null };
  if (ends.from || ends.to || !/^\d{1,4}$/.test(days ?? "")) return ends;
  return { from: Math.floor(serviceNow() / HOUR_MS) * HOUR_MS - Number(days) * 24 * HOUR_MS, to: null };
}

function Filters({ query, change }) {
  return html`<form class="row filters" role="search" onSubmit=${(event) => event.preventDefault()}>
    <${Typed} label="Find" name="text" ...${{ query, change }} /><${Typed} label="Model" name="model" ...${{ query, change }} /><${Typed} label="Namespace" name="namespace" ...${{ query, change }} />
    <label>Severity<select value=${query.severity ?? ""} onChange=${(event) => change({ severity: event.target.value || null })}>
      <option value="">any</option>${SEVERITIES.map((each) => html`<option value=${each}>${each}</option>`)}</select></label>
    <label>Held in<select value=${query.days ?? ""} onChange=${(event) => change({ days: event.target.value || null, from: null, to: null })}>
      ${TIMES.map(([each, name]) => html`<option value=${each}>${name}</option>`)}</select></label></form>`;
}

/** A filter that is asked for once somebody has stopped to type. */
function Typed({ label, name, query, change }) {
  const [value, setValue] = useState(query[name] ?? "");
  useEffect(() => { setValue(query[name] ?? ""); }, [query[name]]);
  useEffect(() => {
    if (value === (query[name] ?? "")) return undefined;
    const timer = setTimeout(() => change({ [name]: value || null }, { replace: true }), TYPED_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return html`<label>${label}<input type="search" value=${value} onInput=${(event) => setValue(event.target.value)} /></label>`;
}

/** Alerts that fire, or that are over. More of them are asked for together with the first, so that all are as they stand. */
function List({ turn, title, parameters, isFiltered }) {
  const [limit, setLimit] = useState(PAGE);
  const asked = useAsk("/v1/alerts", { ...parameters, limit }, { everyMs: REFRESH_MS });
  const { data, reload } = asked;
  useEffect(() => { if (turn) reload(); }, [turn]);
  const [steady, handlers] = useSteadyOrder(data?.items ?? [], (alert) => alert.alert_id);
  return html`<${Card} title=${title} asked=${asked}>
    ${data && !steady.length && html`<p class="empty">${isFiltered ? "No alert is like that." : title === "Firing" ? "Nothing fires." : "None is over."}</p>`}
    <ul class="alerts" ...${handlers} aria-label=${title}>${steady.map((alert) => html`<${Row} key=${alert.alert_id} alert=${alert} done=${reload} />`)}</ul>
    ${data?.next_cursor && (limit < MOST ? html`<p><button onClick=${() => setLimit(Math.min(2 * limit, MOST))}>Show more</button></p>`
      : html`<p class="small quiet">There are more than ${count(MOST)}: look for some of them above.</p>`)}<//>`;
}

function Row({ alert, done }) {
  const [isOpen, setOpen] = useState(false);
  const isFiring = alert.state === "firing";
  return html`<li><span><${State} of=${isFiring ? alert.severity : alert.state} /></span>
    <span><a href=${address(["incidents", alert.alert_id])}>${alert.title}</a>
      <small class="block">${alert.model} · since <${Time} ms=${alert.starts_ms} /> (${isFiring ? ago(alert.starts_ms) : `for ${length(alert.ends_ms - alert.starts_ms)}`})${
        alert.acknowledged_by && html` · <${State} of="acknowledged" label="taken on by ${alert.acknowledged_by}" />`}</small>
      ${isOpen && html`<${ToDo} alert=${alert} done=${done} />`}</span>
    <span><button class="bare" aria-expanded=${String(isOpen)} aria-label="What to do about ${alert.title}" onClick=${() => setOpen(!isOpen)}>What to do</button></span></li>`;
}

function ToDo({ alert, done }) {
  const signals = alert.signals.map((each) => ({ ...each, alert }));
  return html`<div class="row">${alert.state === "firing" && html`<${TakeOn} of="alerts" operation="POST /v1/alerts/{alert_id}/ack" id=${alert.alert_id} isTaken=${Boolean(alert.acknowledged_by)} done=${done} />`}
    <${Silence} ids=${[alert.alert_id]} models=${[alert.model].filter((name) => !name.startsWith("_"))} done=${done} /><${SignalMarks} rows=${signals} done=${done} />
    <a class="button" href=${address(["alerts", alert.alert_id])}>As a plain page</a></div>`;
}
