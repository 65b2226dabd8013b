// Where two sides differ: the comparison again, hour by hour or segment by segment, once somebody asks for it.
import { html, address, Card, Failure, Table, useEffect, useState } from "./ui.js";
import { endsOf } from "./address.js";
import { ask } from "./api.js";
import { times } from "./format.js";
import { Heatmap } from "./heatmap.js";
import { heatColour, onScheme } from "./states.js";

const HOUR_MS = 3_600_000, MOST_CELLS = 24, MOST_SEGMENTS = 20, MOST_SIGNALS = 30;

/** `sides` are the parameters of `/v1/compare`; `current` and `baseline` as its answer states them. */
export function Divergences({ model, sides, compared: { items, current, baseline }, segments }) {
  const [kind, setKind] = useState(null);
  const parts = kind === "hours" ? cellsOf(current, baseline) : kind === "segments" ? segmentsOf(segments, sides) : [];
  const key = JSON.stringify([kind, model, sides]);
  const { answers, error } = useEach(kind && key, parts.map((part) => ({ model, ...sides, ...part.parameters, limit: 1_000 })));
  if (!items.length) return null;
  const of = { model, parts, answers, signals: items.slice(0, MOST_SIGNALS).map((item) => item.signal), sides };
  const button = (name, label) => html`<button aria-pressed=${kind === name ? "true" : "false"} onClick=${() => setKind(name)}>${label}</button>`;
  return html`<${Card} title="Where they differ" aside=${html`<span class="row">${cellsOf(current, baseline).length > 1 && button("hours", "Hour by hour")}
      ${canSplit(segments, sides) && button("segments", "By segment")}</span>`}>
    <${Failure} error=${error} />
    ${!kind && html`<p class="small quiet">Compares the same two sides again in each part of the time, or in each segment.</p>`}
    ${kind && !error && answers.length < parts.length && html`<p class="quiet" aria-busy="true">${answers.length} of ${parts.length} compared …</p>`}
    ${kind === "hours" && answers.length === parts.length && html`<${Hours} ...${of} />`}
    ${kind === "segments" && answers.length === parts.length && html`<${Segments} ...${of} />`}<//>`;
}

/** The answers so far to questions that are asked one after the other: each of them is much work for the service. */
function useEach(key, questions) {
  const [state, setState] = useState({ key: null, answers: [], error: null });
  useEffect(() => {
    if (!key) return undefined;
    const control = new AbortController(), answers = [];
    setState({ key, answers, error: null });
    const run = async () => {
      for (const question of questions) {
        answers.push(strengths(await ask("/v1/compare", question, { signal: control.signal })));
        setState({ key, answers: [...answers], error: null });
      }
    };
    run().catch((error) => { if (!control.signal.aborted) setState({ key, answers: [], error }); });
    return () => control.abort();
  }, [key]);
  return state.key === key ? state : { answers: [], error: null };
}

const strengths = ({ items }) => new Map(items.filter((item) => item.n && item.baseline_n).map((item) => [item.signal, item.strength]));

/** Parts of the time of both sides, in whole hours; of sides of different lengths, each part beside all of the other. */
function cellsOf(current, baseline) {
  const length = current.to_ms - current.from_ms, shift = baseline.from_ms - current.from_ms;
  const step = Math.ceil(length / MOST_CELLS / HOUR_MS) * HOUR_MS, isShifted = baseline.to_ms - baseline.from_ms === length;
  return Array.from({ length: Math.ceil(length / step) }, (_, index) => {
    const from = current.from_ms + index * step, to = Math.min(from + step, current.to_ms);
    return { from, step, parameters: { from, to, against_from: isShifted ? from + shift : baseline.from_ms, against_to: isShifted ? to + shift : baseline.to_ms } };
  });
}

const canSplit = (segments, sides) => segments.some(Boolean) && !sides.segment && sides.against_segment === undefined;
const segmentsOf = (segments, sides) => (canSplit(segments, sides) ? ["", ...segments.filter(Boolean).slice(0, MOST_SEGMENTS)].map((segment) => ({ segment, parameters: { segment } })) : []);

function Hours({ model, parts, answers, signals, sides }) {
  const rows = signals.map((signal) => {
    const each = answers.map((answer) => answer.get(signal) ?? null);
    return { signal, first_cell_ms: parts[0].from, cell_ms: parts[0].step, strengths: each, drift_cells: [...each.keys()].filter((index) => each[index] >= 1) };
  });
  const hrefOf = (row, from, to) => address(["models", model, "signals", row.signal], { version: sides.version, segment: sides.segment, ...endsOf({ from: from ?? sides.from, to: to ?? sides.to }) });
  return html`<${Heatmap} rows=${rows} nameOf=${(row) => row.signal} hrefOf=${hrefOf} label="Divergence by signal and time"
    wordsOf=${(strength) => (strength === null ? "nothing on one side" : `${times(strength)} what matters`)} />`;
}

function Segments({ parts, answers, signals }) {
  const [, setTurn] = useState(0);
  useEffect(() => onScheme(() => setTurn((former) => former + 1)), []);
  const cell = (index) => (signal) => {
    const strength = answers[index].get(signal);
    return strength === undefined ? "–" : html`<svg width="14" height="12" aria-hidden="true"><rect width="14" height="12" rx="2" fill=${heatColour(strength)} /></svg> ${times(strength)}`;
  };
  return html`<${Table} caption="Divergence by signal and segment" keyOf=${(signal) => signal} rows=${signals} columns=${[
    ["signal", (signal) => signal], ...parts.map(({ segment }, index) => [segment || "all traffic", cell(index), true])]} />`;
}
