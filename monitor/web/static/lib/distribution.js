// Two distributions of one signal side by side: numbers as histograms with quantiles, categories as pairs of bars.
import { html, State, Table } from "./ui.js";
import { count, number, percent } from "./format.js";

const BINS = 48, WIDE = 480, TALL = 160, LEFT = 56, BOTTOM = 22;
const QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95];
const MOST_NAMES = 12;

/** Draw the cells of a distribution; `before` and `after` say what the two sides are. */
export function Distribution({ cells, before, after, label }) {
  if (!cells.baseline) return null;
  if (cells.names) return html`<${Categories} ...${{ cells, before, after, label }} />`;
  if (cells.low) return html`<${Numbers} ...${{ cells, before, after, label }} />`;
  return html`<p class="empty">A vector has no histogram.</p>`;
}

/** From what to what a distribution has moved, in its own units: the median, or the category that moved most. */
export function movement(cells) {
  const sums = cells.baseline && [sum(cells.baseline), sum(cells.current)];
  if (!sums || !sums[0] || !sums[1]) return "";
  if (cells.low) {
    const [from, to] = [cells.baseline, cells.current].map((counts) => quantile(closed(cells, counts), 0.5));
    return `median ${number(from)} → ${number(to)}`;
  }
  if (!cells.names?.length) return "";
  const moves = cells.names.map((name, index) => [name ?? "all others", cells.baseline[index] / sums[0], cells.current[index] / sums[1]]);
  const [[name, from, to]] = moves.sort((a, b) => Math.abs(b[2] - b[1]) - Math.abs(a[2] - a[1]));
  return `${name} ${percent(from)} → ${percent(to)}`;
}

export function SideLegend({ before, after }) {
  return html`<ul class="legend"><li><svg width="14" height="10" aria-hidden="true"><rect width="14" height="10" fill="var(--before)" opacity=".55" /></svg>${before}</li>
    <li><svg width="14" height="10" aria-hidden="true"><rect width="14" height="10" fill="none" stroke="var(--after)" stroke-width="3" /></svg>${after}</li></ul>`;
}

function Numbers({ cells, before, after, label }) {
  const [old, now] = [cells.baseline, cells.current].map((counts) => closed(cells, counts));
  const sums = [sum(cells.baseline), sum(cells.current)];
  if (!sums[0] || !sums[1]) return html`<p class="empty">${sums[0] ? after : before}: no values.</p>`;
  const quantiles = QUANTILES.map((share) => [share, quantile(old, share), quantile(now, share)]);
  const [low, high] = ends(old, now);
  const shares = [old, now].map((parts) => bins(parts, low, high));
  const top = Math.max(...shares.flat(), 1e-9);
  const x = (value) => LEFT + ((value - low) / (high - low)) * (WIDE - LEFT);
  const y = (share) => TALL - (share / top) * (TALL - 10);
  return html`<div><svg viewBox="0 0 ${WIDE} ${TALL + BOTTOM}" width="100%" role="img" aria-label="${label}: histogram, ${before} and ${after}; the quantiles are in the table below">
      <path d=${steps(shares[0], y, true)} fill="var(--before)" opacity=".55" />
      <path d=${steps(shares[1], y, false)} fill="none" stroke="var(--after)" stroke-width="2.5" stroke-linejoin="round" />
      <line x1=${LEFT} x2=${WIDE} y1=${TALL} y2=${TALL} stroke="var(--line)" />
      <text x=${LEFT - 6} y="16" text-anchor="end" class="quiet">${percent(top)}</text><text x=${LEFT - 6} y=${TALL} text-anchor="end" class="quiet">0</text>
      ${ticks(low, high).map((value) => html`<text x=${Math.min(WIDE - 14, x(value))} y=${TALL + 16} text-anchor="middle" class="quiet">${number(value)}</text>`)}
    </svg>
    <${SideLegend} ...${{ before, after }} />
    <${Table} caption="${label}: quantiles" rows=${quantiles} columns=${[
      ["quantile", ([share]) => (share === 0.5 ? "median" : `${Math.round(share * 100)} %`)],
      [before, ([, value]) => number(value), true], [after, ([, , value]) => number(value), true],
      ["moved by", ([, from, to]) => signed(to - from), true]]} /></div>`;
}

function Categories({ cells, before, after, label }) {
  const sums = [sum(cells.baseline), sum(cells.current)];
  const rows = cells.names.map((name, index) => ({
    name, old: sums[0] ? cells.baseline[index] / sums[0] : 0, now: sums[1] ? cells.current[index] / sums[1] : 0, events: cells.current[index],
  })).filter((row) => row.old || row.now);
  const mover = (row) => Math.abs(row.now - row.old);
  const shown = [...rows].sort((a, b) => mover(b) - mover(a)).slice(0, MOST_NAMES);
  const top = Math.max(...shown.flatMap((row) => [row.old, row.now]), 1e-9);
  const bar = (share, tone) => html`<svg viewBox="0 0 200 9" width="200" height="9" preserveAspectRatio="none" aria-hidden="true"><rect width=${(share / top) * 200} height="9" rx="2" fill="var(--${tone})" /></svg>`;
  return html`<div><${SideLegend} ...${{ before, after }} />
    <${Table} caption="${label}: categories, what moved most first" keyOf=${(row) => row.name} rows=${shown} columns=${[
      ["category", (row) => html`${row.name ?? "all others"} ${isNew(row, sums) && html`<${State} of="warning" label="new" />`}${isGone(row) && html`<${State} of="no_data" label="gone" />`}`],
      ["before and after", (row) => html`<div>${bar(row.old, "before")}</div><div>${bar(row.now, "after")}</div>`],
      [before, (row) => percent(row.old), true], [after, (row) => percent(row.now), true],
      ["events", (row) => count(row.events), true]]} />
    ${rows.length > shown.length && html`<p class="small quiet">and ${rows.length - shown.length} that moved less</p>`}</div>`;
}

const isNew = (row, sums) => row.old === 0 && row.now > 0 && row.name !== null && sums[0] > 0;
const isGone = (row) => row.now === 0 && row.old > 0;

/** Cells as `[low, high, count]`; an open end gets the width of its neighbour. */
function closed({ low, high }, counts) {
  return counts.map((each, index) => {
    const width = (at) => (high[at] ?? NaN) - (low[at] ?? NaN);
    const near = [width(index - 1), width(index + 1)].find(Number.isFinite) ?? 1;
    return [low[index] ?? high[index] - near, high[index] ?? low[index] + near, each];
  }).sort((a, b) => a[0] - b[0]);
}

/** The value below which a share of the values lies, as if they were even within a cell. */
function quantile(parts, share) {
  const whole = parts.reduce((total, part) => total + part[2], 0);
  let rest = share * whole;
  for (const [low, high, each] of parts) {
    if (rest <= each && each) return low + (high - low) * (rest / each);
    rest -= each;
  }
  return parts.at(-1)[1];
}

/** From where to where is drawn: what all but a few in a thousand values lie in. */
function ends(old, now) {
  const low = Math.min(quantile(old, 0.002), quantile(now, 0.002)), high = Math.max(quantile(old, 0.998), quantile(now, 0.998));
  return high > low ? [low, high] : [low - 0.5, low + 0.5];
}

function bins(parts, low, high) {
  const whole = parts.reduce((total, part) => total + part[2], 0) || 1, width = (high - low) / BINS;
  const shares = new Array(BINS).fill(0);
  for (const [from, to, each] of parts) {
    if (!each) continue;
    const first = clamp((from - low) / width), last = clamp((to - low) / width - 1e-9);
    for (let bin = first; bin <= last; bin += 1) {
      const inside = to > from ? Math.min(to, low + (bin + 1) * width) - Math.max(from, low + bin * width) : 1;
      shares[bin] += (each / whole) * (to > from ? Math.max(0, inside) / (to - from) : 1);
    }
  }
  return shares;
}

const clamp = (bin) => Math.min(BINS - 1, Math.max(0, Math.floor(bin)));

function steps(shares, y, isClosed) {
  const wide = (WIDE - LEFT) / BINS;
  const path = shares.map((share, index) => `L${(LEFT + index * wide).toFixed(1)} ${y(share).toFixed(1)}L${(LEFT + (index + 1) * wide).toFixed(1)} ${y(share).toFixed(1)}`).join("");
  return isClosed ? `M${LEFT} ${TALL}${path}L${WIDE} ${TALL}Z` : `M${path.slice(1)}`;
}

function ticks(low, high) {
  const rough = (high - low) / 5, size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * size).find((each) => each >= rough);
  const values = [];
  // By number: of values so large that a step is lost in them there would be no end.
  for (let index = 0; index <= 5; index += 1) {
    const value = (Math.ceil(low / step) + index) * step;
    if (value <= high) values.push(Number(value.toPrecision(12)));
  }
  return values;
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
const signed = (value) => (value > 0 ? `+${number(value)}` : number(value).replace("-", "−"));
