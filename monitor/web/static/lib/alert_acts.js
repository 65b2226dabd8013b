// What can be done about alerts: take them on, silence them, say what they were. Absent for who may not.
import { html } from "./ui.js";
import { Action } from "./act.js";
import { tell } from "./api.js";
import { count, exactTime } from "./format.js";
import { serviceNow } from "./service.js";

export const SAYS = { false: "False alarm", real: "Real", harmless: "Real, but harmless", accepted: "New normal" };
const MOST_SIGNALS = 50;

/** When a signal of an alert began to move. */
export const sinceOf = (row) => row.since_ms ?? row.alert.starts_ms;

/** Take an alert, or an incident, on; or give it back. `of` is "alerts" or "incidents", `operation` what may be done. */
export function TakeOn({ of, operation, id, isTaken, done }) {
  const send = (more, sentence) => async (values) => { await tell("POST", `/v1/${of}/${encodeURIComponent(id)}/ack`, { ...values, ...more }); return sentence; };
  return html`<span class="row"><${Action} kind="first" needs=${operation} label="I take it on" title="Take it on" done=${done} send=${send({}, "Taken on.")}
      about="It is not repeated until it changes, and everybody sees that you are on it." fields=${[{ name: "comment", label: "What you do about it" }]} />
    ${isTaken && html`<${Action} needs=${operation} label="Give it back" about="It is repeated again." done=${done} send=${send({ undo: true }, "Given back.")} />`}</span>`;
}

/** Nobody is notified of some alerts, or of one of their models, for a while. */
export function Silence({ ids, models, done }) {
  const scopes = [["alerts", ids.length === 1 ? "this alert" : "these alerts"], ...models.map((model) => [`model ${model}`, `everything about ${model}`])];
  const lengths = [["1", "1 hour"], ["4", "4 hours"], ["24", "1 day"], ["168", "1 week"]];
  const send = async ({ scope, hours, comment, created_by: createdBy }) => {
    const matcher = scope === "alerts" ? { name: "alert_id", value: ids.map(escaped).join("|"), isRegex: true } : { name: "model", value: scope.slice(6), isRegex: false };
    const startsAt = new Date(serviceNow()), endsAt = new Date(startsAt.getTime() + Number(hours) * 3_600_000);
    await tell("POST", "/api/v2/silences", { matchers: [{ isEqual: true, ...matcher }], startsAt, endsAt, createdBy, comment });
    return `Silent until ${exactTime(endsAt.getTime())}.`;
  };
  return html`<${Action} needs="POST /api/v2/silences" label="Silence …" title="Silence" send=${send} done=${done} about="Nobody is notified meanwhile. Everything goes on being watched and shown."
    fields=${[{ name: "scope", label: "What", kind: "one", options: scopes }, { name: "hours", label: "For", kind: "one", options: lengths, value: "4" },
      { name: "comment", label: "Why", isRequired: true }]} />`;
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** What people say of signals; `rows` are those of alerts, each with its `alert`. */
export function SignalMarks({ rows, done }) {
  const named = rows.filter((row) => row.signal).slice(0, MOST_SIGNALS);
  const options = named.map((row, index) => [String(index), `${row.alert.model}: ${row.signal}${row.segment && ` (${row.segment})`}`]);
  if (!options.length) return null;
  const mark = (says) => async ({ signals, reason, created_by }) => {
    for (const index of signals) {
      const { alert, signal, segment = "", version = "" } = named[index], at = sinceOf(named[index]);
      await tell("POST", "/v1/marks", { model: alert.model, signal, segment, version, says, at, reason, created_by });
    }
    const learned = (says === "false" || says === "harmless") && signals.some((index) => !named[index].alert.ends_ms)
      ? " The alert still fires: what is usual is learned from its days so far. If this is the new normal, accept it." : "";
    return `${SAYS[says]}: said of ${count(signals.length)} ${signals.length === 1 ? "signal" : "signals"}.${learned}`;
  };
  const signals = { name: "signals", label: "Of which signals", kind: "several", options, value: options.map(([index]) => index) };
  const why = (isRequired) => ({ name: "reason", label: "Why", kind: "text", isRequired });
  return html`<div class="row marks">
    <${Action} needs="POST /v1/marks" label="False alarm" about="Nothing was wrong: the signals go on being judged as before, and false alarms are counted against the budget."
      fields=${[signals, why(false)]} send=${mark("false")} done=${done} />
    <${Action} needs="POST /v1/marks" label="It was real" about="Whoever reads about it later knows, and it is no part of what is normal." fields=${[signals, why(false)]} send=${mark("real")} done=${done} />
    <${Action} needs="POST /v1/marks" label="Accept as new normal" about="Levels since the alert began are what is expected from now on, and the alert is over."
      fields=${[signals, why(true)]} send=${mark("accepted")} done=${done} /></div>`;
}
