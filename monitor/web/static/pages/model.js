// A model: what is wrong now, and how every signal has been.
import { html, address, Card, Crumbs, Facts, Failure, State, Table, Time, useTitle } from "../lib/ui.js";
import { useAsk } from "../lib/api.js";
import { signalParts, times } from "../lib/format.js";
import { useAlertStream } from "../lib/live.js";
import { spanOf, useQuery } from "../lib/address.js";

const REFRESH_MS = 30_000;

export default function Model({ model }) {
  useTitle(model);
  const { query } = useQuery();
  const detail = useAsk(`/v1/models/${encodeURIComponent(model)}`, {}, { everyMs: REFRESH_MS });
  const alerts = useAsk("/v1/alerts", { model, state: "firing" });
  useAlertStream(() => { detail.reload(); alerts.reload(); }, { model });
  if (detail.error) return html`<h1>${model}</h1><${Failure} error=${detail.error} retry=${detail.reload} />`;
  const newestMs = Math.max(0, ...(detail.data?.series ?? []).map((each) => each.window_end_ms));
  const span = spanOf(query, newestMs);
  return html`
    <${Crumbs} trail=${[["Models", address(["alerts"])], [model]]} />
    <div class="head"><h1>${model}</h1></div>
    ${alerts.data && html`<${Verdict} alerts=${alerts.data.items} />`}
    ${span && html`<${Movers} model=${model} span=${span} />`}`;
}

function Verdict({ alerts }) {
  if (!alerts.length) return html`<div class="verdict ok"><p class="first">Nothing fires.</p></div>`;
  return html`<div class="verdict firing"><p class="first">${alerts.length === 1 ? "One alert fires" : `${alerts.length} alerts fire`}</p>
    <ul>${alerts.map((alert) => html`<li><a href=${address(["alerts", alert.alert_id])}>${alert.title}</a>, since <${Time} ms=${alert.starts_ms} /></li>`)}</ul></div>`;
}

function Movers({ model, span }) {
  const top = useAsk("/v1/top", { model, from: span.from, to: span.to });
  return html`<${Card} title="What moved most"><${Failure} error=${top.error} retry=${top.reload} />
    ${top.data && html`<${Table} caption="Signals that moved most" rows=${top.data.items} columns=${[
      ["signal", (row) => html`<a href=${address(["models", model, "signals", row.signal])}>${signalParts(row.signal).name}</a>`],
      ["effect over threshold", (row) => times(row.strength), true],
      ["at its worst", (row) => html`<${Time} ms=${row.worst_ms} />`]]} />`}<//>`;
}
