// What every page is made of. Text is escaped by construction: nothing is put into markup as markup.
import { html, render, useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useErrorBoundary } from "../vendor/htm-preact.js";
import { looksOf } from "./states.js";
import { ago, exactTime, shortTime } from "./format.js";
import { address } from "./address.js";

export { html, render, useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useErrorBoundary };

/** The state of something, by its glyph, its word and its colour. */
export function State({ of, label }) {
  const looks = looksOf(of);
  return html`<span class="badge ${looks.tone}"><span aria-hidden="true">${looks.glyph}</span>${label ?? looks.label}</span>`;
}

/** A time in the viewer's zone; UTC on hover, and for programs. */
export function Time({ ms, relative = false }) {
  if (ms === null || ms === undefined) return html`<span class="quiet">never</span>`;
  return html`<time datetime=${new Date(ms).toISOString()} title=${exactTime(ms)}>${relative ? ago(ms) : shortTime(ms)}</time>`;
}

/** A part of a page, with its name. */
export function Card({ title, aside, asked = null, children, ...rest }) {
  return html`<section class="card" aria-label=${title} ...${rest}>
    <div class="row spread"><h2>${title}</h2>${aside}</div>${asked && html`<${Pending} of=${asked} />`}${children}</section>`;
}

/** The way to a page: pairs of a name and an address, the last without. */
export function Crumbs({ trail }) {
  return html`<nav class="crumbs" aria-label="Where you are"><ol>${trail.map(([name, to]) =>
    html`<li>${to ? html`<a href=${to}>${name}</a>` : html`<span aria-current="page">${name}</span>`}</li>`)}</ol></nav>`;
}

/** Figures with their names: `[name, value, small print]`. */
export function Facts({ of }) {
  return html`<dl class="facts">${of.filter(Boolean).map(([name, value, small]) =>
    html`<div><dt>${name}</dt><dd>${value}${small && html`<small>${small}</small>`}</dd></div>`)}</dl>`;
}

/** What went wrong with a question, and what can be done. */
export function Failure({ error, retry }) {
  if (!error) return null;
  return html`<div class="failure" role="alert"><p><strong>${error.title ?? "That did not work"}.</strong> ${error.detail ?? String(error)}</p>
    ${error.errors?.length > 1 && html`<ul>${error.errors.map((each) => html`<li>${each.field}: ${each.message}</li>`)}</ul>`}
    ${retry && html`<p><button onClick=${retry}>Try again</button></p>`}</div>`;
}

/** What stands where an answer will: that it is waited for, or what went wrong. */
export function Pending({ of: { data, error, isLoading, reload }, words = "One moment …" }) {
  if (!error && !data && isLoading) return html`<p class="quiet" aria-busy="true">${words}</p>`;
  return html`<${Failure} error=${error} retry=${reload} />`;
}

/** A table whose cells are `[header, row => cell, isNumber]`; it scrolls by itself where it is wide. */
export function Table({ caption, columns, rows, keyOf, empty = "There is nothing to show." }) {
  if (!rows.length) return html`<p class="empty">${empty}</p>`;
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${caption}><table>
    <thead><tr>${columns.map(([header, , isNumber]) => html`<th scope="col" class=${isNumber ? "number" : ""}>${header}</th>`)}</tr></thead>
    <tbody>${rows.map((row, index) => html`<tr key=${keyOf ? keyOf(row) : index}>${columns.map(([, cell, isNumber]) =>
      html`<td class=${isNumber ? "number" : ""}>${cell(row)}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** One of several, each a link so that it can be shared: `[[value, label]]`. */
export function Choices({ label, of, value, href, onChoose }) {
  return html`<div class="choices" role="group" aria-label=${label}>${of.map(([each, name]) =>
    html`<a class="button" href=${href(each)} aria-current=${each === value ? "true" : null}
      onClick=${(event) => { if (!event.metaKey && !event.ctrlKey && !event.shiftKey) { event.preventDefault(); onChoose(each); } }}>${name}</a>`)}</div>`;
}

/** A link that somebody wrote: only to the web. */
export function OutsideLink({ to, children }) {
  return /^https?:\/\//i.test(to ?? "") ? html`<a href=${to} rel="noreferrer noopener">${children}</a>` : html`<span>${children}</span>`;
}

/** Set what the browser calls the page. */
export function useTitle(title) {
  useEffect(() => { document.title = `${title} · Leeway`; }, [title]);
}

export { address };
