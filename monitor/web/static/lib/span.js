// Which time is shown: a day, a week, 30 days, or from one time to another.
import { html, Choices, useState } from "./ui.js";
import { SPANS } from "./address.js";
import { shortTime } from "./format.js";

/** Choose the span; it stands in the query of the address. */
export function SpanChoice({ span, query, change, href }) {
  const [isOpen, setOpen] = useState(false);
  const cleared = { from: null, to: null };
  return html`<div class="row">
    <${Choices} label="Span of time" of=${SPANS} value=${span?.isCustom ? "" : span?.name ?? "7d"}
      href=${(name) => href({ span: name, ...cleared })} onChoose=${(name) => { setOpen(false); change({ span: name, ...cleared }); }} />
    <button aria-expanded=${String(isOpen)} aria-pressed=${String(Boolean(span?.isCustom))} onClick=${() => setOpen(!isOpen)}>${
      span?.isCustom ? `${shortTime(span.from)} to ${shortTime(span.to)}` : "From … to"}</button>
    ${isOpen && span && html`<${LocalEnds} span=${span} chosen=${(from, to) => { setOpen(false); change({ from, to, span: null }); }} />`}</div>`;
}

/** From one time to another, in the viewer's zone. */
export function LocalEnds({ span, chosen }) {
  const [ends, setEnds] = useState([local(span.from), local(span.to)]);
  const [from, to] = ends.map((text) => new Date(text).getTime());
  const isRight = from < to;
  return html`<form class="row" onSubmit=${(event) => { event.preventDefault(); if (isRight) chosen(from, to); }}>
    <label>from<input type="datetime-local" value=${ends[0]} onInput=${(event) => setEnds([event.target.value, ends[1]])} /></label>
    <label>to<input type="datetime-local" value=${ends[1]} onInput=${(event) => setEnds([ends[0], event.target.value])} /></label>
    <button class="first" disabled=${!isRight}>Show</button></form>`;
}

/** A time as the input takes it, in the viewer's zone. */
function local(ms) {
  const date = new Date(ms);
  return new Date(ms - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
