// What a person says of a signal: its level is right now, or its alarm was false. Absent for who may not.
import { html } from "./ui.js";
import { Action } from "./act.js";
import { tell } from "./api.js";
import { exactTime } from "./format.js";

/** `atMs` lies in the window that is shown, or will be; null where that is the newest. */
export function Marks({ model, signal, segment, version, atMs, done }) {
  const mark = (says, at) => async ({ reason, created_by }) => {
    await tell("POST", "/v1/marks", { model, signal, segment, version: version ?? "", says, at, reason, created_by });
    return "Kept.";
  };
  const reason = (isRequired) => [{ name: "reason", label: "Why, for whoever asks later", kind: "text", isRequired }];
  const of = `${signal}${segment && `, segment ${segment}`}`;
  return html`<div class="row">
    <${Action} needs="POST /v1/marks" label="Accept as new normal" fields=${reason(true)} send=${mark("accepted", null)} done=${done}
      about="The level that ${of} has now is right; it is what windows are compared with from here on." />
    <${Action} needs="POST /v1/marks" label="Mark as false alarm" fields=${reason(false)} send=${mark("false", atMs)} done=${done}
      about="${atMs === null ? `The newest alert of ${of}` : `The alert of ${of} at ${exactTime(atMs)}`} was about nothing. It counts among the false alarms, beside those that are accepted." /></div>`;
}
