// Series over time: one chart for all pages, with its threshold, band and marks, readable by keyboard, as a table, and
// to take home as a picture or as figures.
import uPlot from "../vendor/uplot.js";
import { html, Table, useEffect, useLayoutEffect, useRef, useState } from "./ui.js";
import { number, shortTime } from "./format.js";
import { drawMarks } from "./marks.js";
import { colour, onScheme } from "./states.js";
import { saveCsv, savePicture } from "./save.js";

const HEIGHT = 240, LEAST_ROOM = 62;
const GLYPHS = { deployment: "M1 1h10l-5 8z", version: "M6 0l5 5l-5 5l-5 -5z" };

/**
 * Draw series over time.
 *
 * `times` are ms; `series` are `{label, values, tone, dash, width, points, show}` with a variable of the style sheet as
 * tone; `band` is `{label, low, high}`; `marks` are `{at_ms, kind, label}`; `format` writes a value, `unit` stands behind it.
 * `onPick(ms)` hears of a point that was clicked, or on which Enter was pressed; `at` is the time that the page speaks of.
 * `onSpan(fromMs, toMs)` hears of a span that was drawn with the pointer.
 */
export function TimeChart({ title, times, series, band = null, marks = [], format = number, unit = "", onSpan, onPick, at: pickedMs = null, height = HEIGHT, fromZero = false }) {
  const place = useRef(null), plot = useRef(null);
  const [at, setAt] = useState(null);
  const [isTable, setTable] = useState(false);
  const [turn, setTurn] = useState(0);
  const all = band ? [...series, { label: `${band.label}, from`, values: band.low, isEdge: true }, { label: `${band.label}, to`, values: band.high, isEdge: true }] : series;
  const pick = useRef(null);
  pick.current = onPick ? (index) => onPick(times[index]) : null;
  const seconds = times.map((ms) => ms / 1000);
  const shape = JSON.stringify([all.map(({ label, tone, dash, width }) => [label, tone, dash, width]), marks, turn, isTable, pickedMs]);
  useEffect(() => onScheme(() => setTurn((former) => former + 1)), []);
  useLayoutEffect(() => {
    if (isTable || !times.length) return undefined;
    const options = {
      width: place.current.clientWidth, height,
      cursor: { y: false, drag: { x: Boolean(onSpan), y: false, setScale: false }, points: { size: 7 } },
      legend: { show: false },
      scales: { x: { time: true }, y: { range: (_, low, high) => range(low, high, fromZero) } },
      axes: [axis({ values: (_, splits, index, space, step) => splits.map((each) => tick(each * 1000, step)) }), axis({ size: room, values: (_, splits) => splits.map((value) => format(value)) })],
      series: [{}, ...all.map(line)],
      bands: band ? [{ series: [all.length, all.length - 1], fill: colour("band") }] : [],
      hooks: {
        ready: [(drawn) => drawn.over.addEventListener("click", () => { if (drawn.cursor.idx !== null) pick.current?.(drawn.cursor.idx); })],
        draw: [(drawn) => { drawOn(drawn, marks); if (pickedMs) drawPicked(drawn, pickedMs); }],
        setCursor: [(drawn) => setAt(drawn.cursor.idx ?? null)],
        setSelect: [(drawn) => {
          if (drawn.select.width < 8) return;
          const [from, to] = [drawn.select.left, drawn.select.left + drawn.select.width].map((x) => drawn.posToVal(x, "x") * 1000);
          drawn.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          onSpan?.(Math.round(from), Math.round(to));
        }],
      },
    };
    plot.current = new uPlot(options, [seconds, ...all.map((each) => each.values)], place.current);
    const watcher = new ResizeObserver(([entry]) => plot.current?.setSize({ width: Math.floor(entry.contentRect.width), height }));
    watcher.observe(place.current);
    return () => { watcher.disconnect(); plot.current.destroy(); plot.current = null; };
  }, [shape, times.length > 0]);
  useLayoutEffect(() => { plot.current?.setData([seconds, ...all.map((each) => each.values)]); }, [times, ...all.map((each) => each.values)]);
  const pressed = (event) => {
    if (event.key === "Enter" && at !== null) pick.current?.(at);
    const step = { ArrowRight: 1, ArrowLeft: -1, PageUp: -10, PageDown: 10 }[event.key];
    if (!step || !plot.current) return;
    event.preventDefault();
    const index = Math.min(times.length - 1, Math.max(0, at === null ? times.length - 1 : at + step));
    plot.current.setCursor({ left: plot.current.valToPos(seconds[index], "x"), top: 0 });
    setAt(index);
  };
  const written = (value) => (value === null || value === undefined ? "–" : `${format(value)}${unit && ` ${unit}`}`);
  const csv = () => saveCsv([["time", times.map((ms) => new Date(ms).toISOString())], ...all.map((each) => [each.label, each.values])], title);
  const picture = () => savePicture(plot.current.ctx.canvas, { title, ground: colour("surface"), ink: colour("text") });
  const shown = at === null ? null : at;
  return html`<figure class="chart" aria-label=${title} style=${{ margin: 0 }}>
    ${!times.length && html`<p class="empty">Nothing is stored of this span.</p>`}
    ${isTable
      ? html`<${Table} caption=${title} rows=${times.map((ms, index) => ({ ms, index }))} columns=${[
          ["time", (row) => shortTime(row.ms)], ...all.map((each) => [each.label, (row) => written(each.values[row.index]), true])]} />`
      : html`<div class="plot" ref=${place} tabindex=${times.length ? 0 : null} role="group" onKeyDown=${pressed}
          aria-label="${title}. Arrow keys read the values one by one."></div>`}
    <ul class="legend">${series.map((each) => html`<li><svg width="22" height="8" aria-hidden="true">${each.width === 0
        ? html`<circle cx="11" cy="4" r="3.5" fill="var(--${each.tone ?? "series-1"})" />`
        : html`<line x1="0" x2="22" y1="4" y2="4" stroke="var(--${each.tone ?? "series-1"})" stroke-width="3" stroke-dasharray=${each.dash ? "5 4" : null} />`}</svg>${each.label}${
        shown !== null && html` <output>${written(each.values[shown])}</output>`}</li>`)}
      ${band && html`<li><svg width="22" height="10" aria-hidden="true"><rect width="22" height="10" fill="var(--band)" stroke="var(--series-1)" stroke-width=".5" /></svg>${band.label}${
        shown !== null && html` <output>${written(band.low[shown])} to ${written(band.high[shown])}</output>`}</li>`}
      ${Object.entries(GLYPHS).filter(([kind]) => marks.some((mark) => mark.kind === kind)).map(([kind, path]) =>
        html`<li><svg width="12" height="10" aria-hidden="true"><path d=${path} fill="var(--mark)" /></svg>${kind}</li>`)}</ul>
    <div class="row spread"><span class="reading" aria-live="polite">${shown === null ? "" : `${shortTime(times[shown])}${near(marks, times, shown)}`}</span>
      <span class="row"><button class="bare" aria-pressed=${String(isTable)} onClick=${() => { setAt(null); setTable(!isTable); }}>Table</button>
      ${!isTable && times.length > 0 && html`<button class="bare" onClick=${picture}>PNG</button>`}
      ${times.length > 0 && html`<button class="bare" onClick=${csv}>CSV</button>`}</span></div></figure>`;
}

function line({ values, tone = "series-1", dash, width = 2, points = false, isEdge = false }) {
  if (isEdge) return { stroke: colour("series-1"), width: 0.5, points: { show: false } };
  const isLonely = !dash && values.filter((value) => value !== null).length < 40;
  return { stroke: colour(tone), width, dash: dash ? [6, 4] : undefined, points: { show: points || isLonely, size: 5, fill: colour(tone) } };
}

function axis(more) {
  return {
    stroke: colour("quiet"), font: "12px system-ui, sans-serif", grid: { stroke: colour("grid"), width: 1 },
    ticks: { stroke: colour("grid"), width: 1 }, ...more,
  };
}

/** As wide as the longest value on the axis needs; measured once more with the values that are left then. */
function room(plot, values, index, turn) {
  const { font: [font], gap, ticks, _size: size } = plot.axes[index];
  if (turn > 1) return size;
  plot.ctx.font = font;
  const widths = (values ?? []).map((each) => plot.ctx.measureText(each ?? "").width / devicePixelRatio);
  return Math.max(LEAST_ROOM, Math.ceil(Math.max(0, ...widths) + gap + ticks.size));
}

const HOUR = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const YEAR = new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric" });

/** A time on the axis: the date at midnight, else the hour; months where ticks are that far apart. */
function tick(ms, step) {
  const date = new Date(ms);
  if (step >= 28 * 86_400) return YEAR.format(date);
  return (step < 86_400 && (date.getHours() || date.getMinutes()) ? HOUR : DATE).format(date);
}

function range(low, high, fromZero) {
  if (low === null || low === undefined) return [0, 1];
  const bottom = fromZero ? Math.min(0, low) : low, room = (high - bottom || Math.abs(high) || 1) * 0.08;
  return [bottom === 0 && fromZero ? 0 : bottom - room, high + room];
}

function drawOn(plot, marks) {
  const pen = plot.ctx, { top, height, left, width } = plot.bbox;
  pen.save();
  pen.strokeStyle = pen.fillStyle = colour("mark");
  pen.lineWidth = devicePixelRatio;
  drawMarks(pen, marks, { xOf: (ms) => plot.valToPos(ms / 1000, "x", true), top, bottom: top + height, left, right: left + width });
  pen.restore();
}

/** The time that the page speaks of. */
function drawPicked(plot, ms) {
  const pen = plot.ctx, { top, height } = plot.bbox, x = plot.valToPos(ms / 1000, "x", true);
  pen.save();
  pen.strokeStyle = colour("text");
  pen.lineWidth = 1.5 * devicePixelRatio;
  pen.beginPath();
  pen.moveTo(x, top);
  pen.lineTo(x, top + height);
  pen.stroke();
  pen.restore();
}

function near(marks, times, index) {
  const half = times.length > 1 ? (times.at(-1) - times[0]) / times.length : 0;
  return marks.filter((mark) => Math.abs(mark.at_ms - times[index]) <= half).map((mark) => ` · ${mark.label}`).join("");
}
