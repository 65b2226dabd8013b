// What a model got wrong beside the rest of its labelled events, and single events where somebody may see them.
import { html, Card, Failure, Table, Time, useState } from "./ui.js";
import { useMay } from "./account.js";
import { apiAddress, useAsk } from "./api.js";
import { count, number, signalParts } from "./format.js";
import { differs, leading, Ranked } from "./ranked.js";
import { saveCsv } from "./save.js";

const MOST_ROWS = 20, MOST_COLUMNS = 8;

/** The parameters of a question, as `/v1/slices` and `/v1/rows` take them. */
function parametersOf(model, sides, query) {
  const { from, to, version, segment } = sides;
  return { model, from, to, version, segment, slice: query.slice ?? null, against: query.against ?? null };
}

export function Slices({ model, sides, query, change, linkOf }) {
  const parameters = parametersOf(model, sides, query);
  const compared = useAsk("/v1/slices", { ...parameters, cells: true, limit: 200 });
  const { data, error } = compared;
  if (error) return html`<${Unanswered} ...${{ error, retry: compared.reload, change }} />`;
  if (!data) return html`<div class="verdict" aria-busy="true"><p class="first">Reading labelled events …</p></div>`;
  const names = [data.baseline.words, data.current.words];
  return html`<div class=${compared.isLoading ? "stale" : ""}>
    <${SliceChoice} ...${{ data, change }} />
    <${Verdict} data=${data} />
    <${Ranked} items=${data.items} sides=${names} linkOf=${linkOf}
      aside=${html`<a class="button bare" href=${apiAddress("/v1/slices", { ...parameters, format: "csv" })} download="${model}-slices.csv">CSV</a>`} />
    ${data.not_stored.length > 0 && html`<p class="small quiet">Not stored, and so not compared: ${data.not_stored.map((each) => `${each.signal} (${each.reason})`).join(", ")}</p>`}
    <${Rows} ...${{ model, parameters, events: data.current.events }} /></div>`;
}

/** Where nothing is stored, what would have to be configured; a slice that is not there is left for the usual one. */
function Unanswered({ error, retry, change }) {
  if (error.kind === "nothing-stored") return html`<${Card} title="Single events are needed for this"><p>${error.detail}.</p><//>`;
  return html`<div><${Failure} error=${error} retry=${retry} />
    <button onClick=${() => change({ slice: null, against: null })}>Show what it got wrong</button></div>`;
}

function SliceChoice({ data, change }) {
  const { choices, current, baseline } = data;
  const one = (label, name, value, options) => html`<label>${label}<select value=${value} onChange=${(event) => change({ [name]: event.target.value })}>
    ${options.map((each) => html`<option value=${each}>${each}</option>`)}</select></label>`;
  return html`<section class="card row" aria-label="Which events">
    ${one("events", "slice", current.slice, choices.filter((each) => each !== baseline.slice))}
    ${one("beside", "against", baseline.slice, ["rest", ...choices.filter((each) => each !== current.slice)])}</section>`;
}

function Verdict({ data: { items, current, baseline, events } }) {
  const differing = items.filter(differs);
  const sizes = `${count(current.events)} ${current.words}, ${count(baseline.events)} ${baseline.words}`;
  const first = !events.labelled ? "There are no labelled events in this time"
    : `${differing.length || "None"} of ${items.length} signals ${differing.length === 1 ? "differs" : "differ"} by more than what matters: ${sizes}`;
  return html`<section class="verdict ${differing.length ? "warning" : events.labelled ? "ok" : ""}" aria-label="How much differs">
    <p class="first">${first}</p>
    ${differing.length > 0 && html`<p>${leading(differing[0])}</p>`}
    <p class="small quiet">Of ${events.note}${events.unusable ? `; ${count(events.unusable)} cannot be compared` : ""}. Few events differ by chance alone.</p></section>`;
}

/** Single events, once somebody asks for them: each look is in the audit log. */
function Rows({ model, parameters, events }) {
  const may = useMay("GET /v1/rows");
  const key = JSON.stringify(parameters);
  const [shownOf, setShownOf] = useState("");
  const isShown = may && shownOf === key && events > 0;
  const answer = useAsk(isShown ? "/v1/rows" : null, { ...parameters, limit: MOST_ROWS });
  if (!may || !events) return null;
  if (!isShown) {
    return html`<section class="card row" aria-label="Single events"><button onClick=${() => setShownOf(key)}>Show single events</button>
      <span class="small quiet">without private fields; that you looked is in the audit log</span></section>`;
  }
  if (answer.error) return html`<${Failure} error=${answer.error} retry=${answer.reload} />`;
  if (!answer.data || answer.isLoading) return html`<p class="quiet" aria-busy="true">One moment …</p>`;
  return html`<${Events} model=${model} data=${answer.data} />`;
}

function Events({ model, data: { items, current } }) {
  const signals = items[0]?.values.map((each) => each.signal) ?? [];
  const valueAt = (row, index) => row.values[index].name ?? row.values[index].number;
  const written = (value) => (typeof value === "number" ? number(value) : value ?? "–");
  const truth = (row) => row.true_name ?? row.true_number, predicted = (row) => row.predicted_name ?? row.predicted_number;
  const columns = [["time", (row) => row.event_ms], ["id", (row) => row.id], ["version", (row) => row.version], ["outcome", (row) => row.outcome],
    ["predicted", predicted], ["true", truth], ...signals.map((signal, index) => [signal, (row) => valueAt(row, index)])];
  const save = () => saveCsv(columns.map(([name, of]) => [name, items.map(of)]), `${model}-${current.slice}`);
  return html`<${Card} title="Single events, ${current.words}" aside=${html`<button class="bare" onClick=${save}>CSV</button>`}>
    <${Table} caption="Single events" keyOf=${(row) => `${row.topic}/${row.partition}/${row.offset}`} rows=${items} columns=${[
      ["time", (row) => html`<${Time} ms=${row.event_ms} />`], ["id", (row) => row.id ?? "–"], ["outcome", (row) => row.outcome],
      ["predicted", (row) => written(predicted(row)), true], ["true", (row) => written(truth(row)), true],
      ...signals.slice(0, MOST_COLUMNS).map((signal, index) => [signalParts(signal).name, (row) => written(valueAt(row, index))])]} />
    <p class="small quiet">${count(items.length)} of ${count(current.events)}, the same until other labels come; what differs most stands first${signals.length > MOST_COLUMNS ? `; CSV has all ${signals.length} fields` : ""}.</p><//>`;
}
