// A text with the numbers of its lines, what the key under the cursor means, and what is wrong, at its line.
import { html, useEffect, useMemo, useRef, useState } from "../lib/ui.js";
import { pathAt } from "./key_path.js";
import { helpFor } from "./help.js";

const FEWEST_ROWS = 8, MOST_ROWS = 30;
const MISTAKE = "▲";

/**
 * `mistakes` are `{line, column, field, message}`, of which line 0 is of no line; `place` `{line, column}` is gone to
 * when it changes. Without `changed` the text can only be read.
 */
export function Editor({ label, text, changed = null, mistakes = [], schema = null, place = null }) {
  const area = useRef(null), numbers = useRef(null);
  const [offset, setOffset] = useState(0);
  const lines = useMemo(() => text.split("\n").length, [text]);
  const wrong = useMemo(() => new Set(mistakes.map(({ line }) => line)), [mistakes]);
  const gutter = useMemo(() => Array.from({ length: lines }, (_, index) => `${wrong.has(index + 1) ? MISTAKE : ""}${index + 1}`).join("\n"), [lines, wrong]);
  const goTo = ({ line, column }) => {
    const start = offsetOf(text, line, column);
    area.current.focus();
    area.current.setSelectionRange(start, start);
    area.current.scrollTop = Math.max(0, (line - 4) * (area.current.scrollHeight / lines));
    setOffset(start);
  };
  // A browser would begin at the end.
  useEffect(() => { area.current.setSelectionRange(0, 0); }, []);
  useEffect(() => { if (place) goTo(place); }, [place]);
  const look = () => setOffset(area.current.selectionStart);
  return html`<div class="editor">
    <div class="written"><pre ref=${numbers} aria-hidden="true">${gutter}</pre>
      <textarea ref=${area} aria-label=${label} wrap="off" spellcheck="false" autocapitalize="off" autocomplete="off" readonly=${!changed}
        rows=${Math.max(FEWEST_ROWS, Math.min(MOST_ROWS, lines + 1))} value=${text} aria-invalid=${mistakes.length ? "true" : null} aria-describedby=${mistakes.length ? "mistakes" : null}
        onInput=${(event) => { changed?.(event.target.value); look(); }} onKeyUp=${look} onClick=${look} onFocus=${look}
        onScroll=${(event) => { numbers.current.scrollTop = event.target.scrollTop; }} /></div>
    <${Mistakes} of=${mistakes} goTo=${goTo} />
    ${schema && html`<${Help} schema=${schema} text=${text} offset=${offset} />`}</div>`;
}

function offsetOf(text, line, column) {
  let start = 0;
  for (let at = 1; at < line && start >= 0; at += 1) start = text.indexOf("\n", start) + 1 || text.length;
  return Math.min(text.length, start + Math.max(0, column - 1));
}

function Mistakes({ of, goTo }) {
  if (!of.length) return null;
  return html`<div id="mistakes" role="alert" class="failure"><p><strong>${of.length === 1 ? "One mistake" : `${of.length} mistakes`}.</strong> Nothing has changed.</p>
    <ul>${of.map((mistake) => html`<li>${mistake.line > 0 && html`<button type="button" class="bare" onClick=${() => goTo(mistake)}>line ${mistake.line}, column ${mistake.column}</button> `}
      ${mistake.field && html`<code>${mistake.field}</code>: `}${mistake.message}</li>`)}</ul></div>`;
}

/** What stands at the cursor, and which keys may. */
function Help({ schema, text, offset }) {
  const { path, isNew } = useMemo(() => pathAt(text, offset), [text, offset]);
  const here = useMemo(() => helpFor(schema, path), [schema, path]);
  const name = path.join(".") || "the document";
  if (!here) return html`<div class="help" role="group" aria-label="What may stand here"><p><code>${name}</code>: nothing is known of this key.</p></div>`;
  const around = here.keys.length || !path.length ? here : helpFor(schema, path.slice(0, -1));
  return html`<div class="help" role="group" aria-label="What may stand here">
    <p>${isNew ? "In " : ""}<code>${name}</code>${here.description && `: ${here.description}`}
      <small class="block">${facts(here)}</small></p>
    ${around?.keys.length > 0 && html`<details open=${isNew}><summary>${around === here ? (isNew ? "Keys that may stand here" : "Keys in it") : "Keys beside it"} (${around.keys.length})</summary>
      <div class="keys" tabindex="0" role="group" aria-label="Keys"><dl>${around.keys.map((key) => html`<div key=${key.name}><dt><code>${key.name}</code>${key.isRequired && html`<small> needed</small>`}</dt><dd>${key.description}</dd></div>`)}</dl></div></details>`}</div>`;
}

function facts({ types, values, fallback }) {
  const parts = [
    values.length > 0 && `one of ${values.map((value) => JSON.stringify(value)).join(", ")}`,
    !values.length && types.length > 0 && types.join(" or "),
    fallback !== undefined && fallback !== null && `default ${JSON.stringify(fallback)}`,
  ];
  return parts.filter(Boolean).join("; ");
}
