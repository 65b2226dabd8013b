// What a change does: fields and series at once, and what would have fired as soon as it is worked out.
import { html, Card, Facts, Failure, State, Table, Time, useEffect, useState } from "../lib/ui.js";
import { number, length } from "../lib/format.js";

const DAYS = [0, 1, 7, 30, 90];
const ROWS = 100, SHORT = 200;
const BECOMES = { keeps: "ok", "learns again": "learning", "starts afresh": "warning", begins: "info", ends: "no_data" };
const WHICH = { both: "fired, and would again", "only before": "fired, and would not", "only now": "would have fired" };

/** A value as a file has it. */
export const written = (value) => (value === null || value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));

/**
 * `load(days, signal)` gives a difference, of that many days with what would have fired, and notes if there are any;
 * `refused` hears why there is none, instead of the page.
 */
export function Preview({ title, load, refused = null, days: first = 7, aside = null }) {
  const [difference, setDifference] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => {
    const control = new AbortController();
    load(0, control.signal).then(setDifference, (problem) => { if (!control.signal.aborted) (refused ?? setError)(problem); });
    return () => control.abort();
  }, []);
  return html`<${Card} title=${title} aside=${difference && aside} aria-busy=${String(!difference && !error)}>
    <${Failure} error=${error} />
    ${!difference && !error && html`<p class="quiet">Checking …</p>`}
    ${difference?.notes?.length > 0 && html`<ul>${difference.notes.map((note) => html`<li>${note}</li>`)}</ul>`}
    ${difference && html`<div><${Fields} of=${difference.fields} /><${Series} of=${difference.series} /><${Backtest} load=${load} first=${first} /></div>`}<//>`;
}

function Fields({ of }) {
  const [most, setMost] = useState(ROWS);
  if (!of.length) return html`<p>No value differs: comments, or the order of the text, may.</p>`;
  return html`<div><h3>${of.length === 1 ? "One value differs" : `${of.length} values differ`}</h3>
    <${Table} caption="Values that differ" rows=${of.slice(0, most)} keyOf=${(row) => row.path} columns=${[
      ["key", (row) => html`<code>${row.path}</code>`], ["before", (row) => html`<${Value} of=${row.before} />`], ["after", (row) => html`<${Value} of=${row.after} />`]]} />
    ${of.length > most && html`<p><button type="button" onClick=${() => setMost(most + 10 * ROWS)}>Show more (${of.length - most})</button></p>`}</div>`;
}

function Value({ of }) {
  const text = written(of);
  return html`<code title=${text.length > SHORT ? text : null}>${text.length > SHORT ? `${text.slice(0, SHORT)} …` : text}</code>`;
}

function Series({ of }) {
  const [most, setMost] = useState(ROWS);
  const changed = of.filter((each) => each.folds !== "keeps" || each.learns !== "keeps"), kept = of.length - changed.length;
  const restart = changed.filter((each) => each.learns === "learns again" || each.learns === "starts afresh").length;
  return html`<div><h3>${restart ? `${restart} of ${of.length} signals restart learning` : "No signal restarts learning"}</h3>
    ${kept > 0 && html`<p>${kept === of.length ? "Every series keeps its state." : `${kept} keep their state.`}</p>`}
    ${changed.length > 0 && html`<${Table} caption="What becomes of series" rows=${changed.slice(0, most)} keyOf=${(row) => row.signal} columns=${[
      ["signal", (row) => row.signal],
      ["what is usual", (row) => html`<${State} of=${BECOMES[row.learns]} label=${row.learns} />`],
      ["open panes, detectors", (row) => html`<${State} of=${BECOMES[row.folds]} label=${row.folds} />`], ["why", (row) => row.why]]} />`}
    ${changed.length > most && html`<p><button type="button" onClick=${() => setMost(most + 10 * ROWS)}>Show more (${changed.length - most})</button></p>`}</div>`;
}

/** What would have fired. It may take minutes: the page is free meanwhile. */
function Backtest({ load, first }) {
  const [days, setDays] = useState(first);
  const [state, setState] = useState({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    setState({});
    if (!days) return undefined;
    const control = new AbortController();
    setState({ control, sinceMs: performance.now() });
    load(days, control.signal).then(
      (difference) => setState({ difference }),
      (error) => setState(control.signal.aborted ? { isStopped: true } : { error }),
    );
    return () => control.abort();
  }, [days, turn]);
  return html`<div class="backtest"><div class="row spread"><h3>What would have fired</h3>
      <label>in the last<select value=${days} onChange=${(event) => setDays(Number(event.target.value))}>${DAYS.map((each) =>
        html`<option value=${each} selected=${each === days}>${each === 0 ? "– not asked" : each === 1 ? "day" : `${each} days`}</option>`)}</select></label></div>
    ${!days && html`<p class="quiet">Choose some days, and their stored panes are judged anew under the change.</p>`}
    ${state.control && html`<${Working} since=${state.sinceMs} stop=${() => state.control.abort()} />`}
    ${state.isStopped && html`<p>Stopped. <button type="button" onClick=${() => setTurn(turn + 1)}>Work it out</button></p>`}
    <${Failure} error=${state.error} retry=${state.error && (() => setTurn(turn + 1))} />
    ${state.difference && html`<${Outcome} of=${state.difference} />`}</div>`;
}

function Working({ since, stop }) {
  const [now, setNow] = useState(since);
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return html`<p class="row"><progress aria-label="Working out what would have fired"></progress> <span>${length(Math.max(0, Math.round((now - since) / 1_000) * 1_000))}; go on meanwhile</span>
    <button type="button" onClick=${stop}>Stop waiting</button></p>`;
}

function Outcome({ of: { backtest, no_backtest: why } }) {
  const [most, setMost] = useState(ROWS);
  if (!backtest) return html`<p>${why || "There is none."}</p>`;
  const missing = Object.entries(backtest.not_judged);
  return html`<div><${Facts} of=${[
      ["Would have fired", backtest.fired_now, html`<${Time} ms=${backtest.from_ms} /> to <${Time} ms=${backtest.to_ms} />`],
      ["Fired", backtest.fired_before, "as it was"],
      ["False alarms accepted", number(backtest.false_alarms_allowed), "by the budget, in this time"]]} />
    <${Table} caption="Alerts that fired, or would have" rows=${backtest.alerts.slice(0, most)} empty="Nothing fired, and nothing would have." columns=${[
      ["since", (row) => html`<${Time} ms=${row.starts_ms} />`], ["alert", (row) => row.title],
      ["then and now", (row) => html`<${State} of=${row.which === "only now" ? "firing" : row.which === "both" ? "warning" : "no_data"} label=${WHICH[row.which] ?? row.which} />`]]} />
    ${backtest.alerts.length > most && html`<p><button type="button" onClick=${() => setMost(most + 10 * ROWS)}>Show more (${backtest.alerts.length - most})</button></p>`}
    ${missing.length > 0 && html`<details><summary>What stored panes say nothing about (${missing.length})</summary><ul>${missing.map(([name, reason]) => html`<li>${name}: ${reason}</li>`)}</ul></details>`}</div>`;
}
