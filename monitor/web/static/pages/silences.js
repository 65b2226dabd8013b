// Silences and subscriptions: who is not notified for a while, and who wants to be.
import { html, Card, Pending, State, Table, Time, useTitle } from "../lib/ui.js";
import { tell, useAsk } from "../lib/api.js";
import { useMay } from "../lib/account.js";
import { Action } from "../lib/act.js";
import { exactTime } from "../lib/format.js";
import { serviceNow } from "../lib/service.js";

const REFRESH_MS = 30_000;
const MATCHER = /^\s*([^=!~\s]+)\s*(=~|!~|!=|=)\s*(.*?)\s*$/;
const LOOKS = { active: "silenced", pending: "pending", expired: "no_data" };
const WHOM = [["email", "a mail address"], ["webhook", "a webhook"], ["receiver", "a receiver of the configuration"]];
const LENGTHS = [["1", "1 hour"], ["4", "4 hours"], ["24", "1 day"], ["168", "1 week"]];

export default function Silences() {
  useTitle("Silences");
  return html`<div><h1>Silences and subscriptions</h1><${Kept} /><${Subscriptions} /></div>`;
}

function Kept() {
  const silences = useAsk(useMay("GET /api/v2/silences") ? "/api/v2/silences" : null, {}, { everyMs: REFRESH_MS });
  if (!silences.data) return html`<${Pending} of=${silences} />`;
  const order = Object.keys(LOOKS);
  const rows = [...silences.data].sort((one, other) => order.indexOf(one.status.state) - order.indexOf(other.status.state) || other.endsAt.localeCompare(one.endsAt));
  const add = html`<${Action} kind="first" needs="POST /api/v2/silences" label="New silence" title="Silence" done=${silences.reload} send=${silence}
    about="Whoever would be notified of alerts with all of these labels is not, meanwhile. Everything goes on being watched and shown."
    fields=${[{ name: "matchers", label: "Labels, one on a line: model=fraud, severity!=critical, signal=~\"feature:.*\"", kind: "text", isRequired: true },
      { name: "hours", label: "For", kind: "one", options: LENGTHS, value: "4" }, { name: "comment", label: "Why", isRequired: true }]} />`;
  return html`<${Card} title="Silences" aside=${add}><${Table} caption="Kept silences" rows=${rows.slice(0, 200)} keyOf=${(row) => row.id} empty="Nothing is silenced." columns=${[
    ["state", (row) => html`<${State} of=${LOOKS[row.status.state]} label=${row.status.state} />`],
    ["of which alerts", (row) => html`<strong>${row.matchers.map(written).join(", ")}</strong>`],
    ["until", (row) => html`<${Time} ms=${Date.parse(row.endsAt)} />`], ["by", (row) => row.createdBy], ["why", (row) => row.comment],
    ["to do", (row) => row.status.state !== "expired" && html`<${Action} needs="DELETE /api/v2/silence/{name}" label="End" title="End the silence" done=${silences.reload}
      about=${row.matchers.map(written).join(", ")} send=${async () => { await tell("DELETE", `/api/v2/silence/${encodeURIComponent(row.id)}`); return "Ended."; }} />`]]} /><//>`;
}

async function silence({ matchers, hours, comment, created_by: createdBy }) {
  const read = matchers.split("\n").filter((line) => line.trim()).map((line) => {
    const [, name, operator, value] = MATCHER.exec(line) ?? [];
    if (name === undefined) throw Object.assign(new Error(line), { title: "That is no matcher", detail: `${line}: write model=fraud, or model=~"a|b"` });
    return { name, value: value.replace(/^"(.*)"$/, "$1"), isRegex: operator.endsWith("~"), isEqual: !operator.startsWith("!") };
  });
  const startsAt = new Date(serviceNow()), endsAt = new Date(startsAt.getTime() + Number(hours) * 3_600_000);
  await tell("POST", "/api/v2/silences", { matchers: read, startsAt, endsAt, createdBy, comment });
  return `Silent until ${exactTime(endsAt.getTime())}.`;
}

const written = ({ name, value, isRegex, isEqual = true }) => `${name}${isEqual ? (isRegex ? "=~" : "=") : isRegex ? "!~" : "!="}${value}`;

async function subscribe({ matchers, kind, to, comment, created_by }) {
  const lines = matchers.split("\n").map((line) => line.trim()).filter(Boolean);
  const kept = await tell("POST", "/v1/subscriptions", { matchers: lines, [kind]: to.trim(), comment, created_by });
  return `${kept.told} is notified from now on.`;
}

function Subscriptions() {
  const subscriptions = useAsk(useMay("GET /v1/subscriptions") ? "/v1/subscriptions" : null);
  if (!subscriptions.data) return html`<${Pending} of=${subscriptions} />`;
  const add = html`<${Action} kind="first" needs="POST /v1/subscriptions" label="New subscription" title="Subscribe" done=${subscriptions.reload} send=${subscribe}
    about="Beside whoever the routes notify, this address is notified of alerts with all of these labels, at once of those that fire already."
    fields=${[{ name: "matchers", label: "Labels, one on a line; none is all alerts: model=fraud, severity=critical", kind: "text" },
      { name: "kind", label: "Notify", kind: "one", options: WHOM, value: "email" }, { name: "to", label: "Its name or address", isRequired: true }, { name: "comment", label: "Why" }]} />`;
  return html`<${Card} title="Subscriptions" aside=${add}><${Table} caption="Who is notified beside the routes" rows=${subscriptions.data.items} keyOf=${(row) => row.id}
    empty="Nobody has subscribed." columns=${[
      ["notified", (row) => html`<strong>${row.told}</strong>${row.problem && html`<small class="block"><${State} of="warning" label="notifies nobody" /> ${row.problem}</small>`}`],
      ["of which alerts", (row) => row.matchers.join(", ") || "all"], ["by", (row) => row.created_by], ["since", (row) => html`<${Time} ms=${row.created_ms} />`], ["why", (row) => row.comment],
      ["to do", (row) => html`<${Action} needs="DELETE /v1/subscriptions/{subscription}" label="End" title="End the subscription" about=${row.told} done=${subscriptions.reload}
        send=${async () => { await tell("DELETE", `/v1/subscriptions/${encodeURIComponent(row.id)}`); return "Ended."; }} />`]]} /><//>`;
}
