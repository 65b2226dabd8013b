// Signals by time: how large a drift was, or how near to one; drift is marked beside the colour.
import { html, useCallback, useEffect, useLayoutEffect, useRef, useState } from "./ui.js";
import { percent, shortTime, times } from "./format.js";
import { drawMarks } from "./marks.js";
import { colour, heatColour, onScheme } from "./states.js";

const ROW = 20, HEAD = 22;

/**
 * Draw a heat map.
 *
 * `rows` are those of `/v1/heatmap`; `nameOf(row)` is what stands beside one, `hrefOf(row, fromMs, toMs)` where a cell
 * leads; `marks` are `{at_ms, kind, label}`. `canvasRef` gets the canvas, for a picture; `wordsOf(strength, isDrift)` says what
 * a cell means.
 */
export function Heatmap({ rows, nameOf, hrefOf, marks = [], label, canvasRef, wordsOf = judged }) {
  const canvas = useRef(null);
  const [cell, setCell] = useState(null);
  const [width, setWidth] = useState(0);
  const [turn, setTurn] = useState(0);
  const { first_cell_ms: firstMs, cell_ms: cellMs } = rows[0];
  const cells = rows[0].strengths.length;
  useLayoutEffect(() => {
    if (canvasRef) canvasRef.current = canvas.current;
    const watcher = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    watcher.observe(canvas.current.parentElement);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => onScheme(() => setTurn((former) => former + 1)), []);
  useLayoutEffect(() => { if (width) draw(canvas.current, { rows, width, cells, firstMs, cellMs, marks }); }, [rows, width, marks, turn]);
  const at = useCallback((event) => {
    const box = canvas.current.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * cells);
    const row = Math.floor((event.clientY - box.top - HEAD) / ROW);
    return row >= 0 && row < rows.length && column >= 0 && column < cells ? { row, column } : null;
  }, [rows, cells]);
  const open = (target) => {
    if (target) location.assign(hrefOf(rows[target.row], firstMs + target.column * cellMs, firstMs + (target.column + 1) * cellMs));
  };
  const pressed = (event) => {
    const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] ?? [0, 0];
    if (event.key === "Enter" && cell) open(cell);
    if (!down && !right) return;
    event.preventDefault();
    const from = cell ?? { row: 0, column: cells - 1 };
    setCell(cell ? { row: clamp(from.row + down, rows.length), column: clamp(from.column + right, cells) } : from);
  };
  const cursor = cell && width && {
    left: `${(cell.column * width) / cells}px`, top: `${HEAD + cell.row * ROW}px`, width: `${Math.max(4, width / cells)}px`, height: `${ROW}px`,
  };
  return html`<div>
    <div class="heat">
      <ol style=${{ paddingTop: `${HEAD}px` }}>${rows.map((row) => html`<li key=${row.signal} title=${row.signal}>
        <a href=${hrefOf(row)}>${nameOf(row)}</a></li>`)}</ol>
      <div class="field" tabindex="0" role="group" aria-label="${label}. Arrow keys read a cell, Enter opens its signal." onKeyDown=${pressed}
        onPointerMove=${(event) => setCell(at(event))} onPointerLeave=${() => setCell(null)} onClick=${(event) => open(at(event))}>
        <canvas ref=${canvas} aria-hidden="true"></canvas>
        ${cursor && html`<div class="cursor" style=${cursor}></div>`}
      </div>
    </div>
    <p class="reading" aria-live="polite">${cell ? reading(rows[cell.row], cell.column, { firstMs, cellMs, marks, nameOf, wordsOf }) : "Point at a cell, or go to the map and use the arrow keys."}</p>
  </div>`;
}

function reading(row, column, { firstMs, cellMs, marks, nameOf, wordsOf }) {
  const from = firstMs + column * cellMs, to = from + cellMs, strength = row.strengths[column];
  const marked = marks.filter((mark) => from < mark.at_ms && mark.at_ms <= to).map((mark) => `; ${mark.label}`).join("");
  return `${nameOf(row)}, ${shortTime(from)} to ${shortTime(to)}: ${wordsOf(strength, row.drift_cells.includes(column))}${marked}`;
}

function judged(strength, isDrift) {
  if (strength === null) return "not judged";
  if (isDrift) return `${times(strength)} what matters, in drift`;
  // Beyond what matters, and no alarm: of a detector that alarms nobody under the rule of the model.
  return strength >= 1 ? `${times(strength)} what matters, without an alarm` : `${percent(strength)} of what alarms`;
}

function draw(canvas, { rows, width, cells, firstMs, cellMs, marks }) {
  const scale = devicePixelRatio || 1, height = HEAD + rows.length * ROW;
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const wide = width / cells, gap = wide > 4 ? 0.5 : 0, ink = colour("text");
  rows.forEach((row, index) => {
    const top = HEAD + index * ROW;
    const drifted = new Set(row.drift_cells);
    row.strengths.forEach((strength, column) => {
      const fill = heatColour(strength, drifted.has(column));
      if (fill === null) return;
      pen.fillStyle = fill;
      pen.fillRect(column * wide, top + 1, wide - gap, ROW - 2);
    });
    pen.fillStyle = ink;
    row.drift_cells.forEach((column) => pen.fillRect(column * wide, top + ROW - 4, Math.max(1, wide - gap), 3));
  });
  drawAxis(pen, { width, height, firstMs, lastMs: firstMs + cells * cellMs });
  pen.strokeStyle = colour("mark");
  pen.fillStyle = colour("mark");
  const xOf = (ms) => ((ms - firstMs) / (cells * cellMs)) * width;
  drawMarks(pen, marks, { xOf, top: HEAD - 10, bottom: height, right: width, scale: 0.8 });
}

const TICKS_H = [1, 3, 6, 12, 24, 48, 72, 168, 336, 672];
const HOUR = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** Ticks at midnights, or whole hours, of the viewer's zone. */
function drawAxis(pen, { width, firstMs, lastMs }) {
  const hours = (lastMs - firstMs) / 3_600_000;
  const every = TICKS_H.find((step) => (hours / step) * 62 <= width) ?? 672;
  const tick = new Date(firstMs);
  tick.setHours(0, 0, 0, 0);
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = colour("quiet");
  for (; tick.getTime() < lastMs; every < 24 ? tick.setHours(tick.getHours() + every) : tick.setDate(tick.getDate() + every / 24)) {
    const x = ((tick.getTime() - firstMs) / (lastMs - firstMs)) * width;
    if (x < 0 || x > width - 40) continue;
    pen.fillRect(x, HEAD - 6, 1, 5);
    pen.fillText((tick.getHours() ? HOUR : DATE).format(tick), x + 3, HEAD - 8);
  }
}

/** What the colours mean. */
export function HeatLegend() {
  const canvas = useRef(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => onScheme(() => setTurn((former) => former + 1)), []);
  useLayoutEffect(() => {
    const pen = canvas.current.getContext("2d");
    for (let x = 0; x < 160; x += 1) {
      pen.fillStyle = heatColour(x < 60 ? x / 60 : 8 ** ((x - 60) / 100));
      pen.fillRect(x, 0, 1, 14);
    }
  }, [turn]);
  return html`<span class="ramp">0 <canvas ref=${canvas} width="160" height="14" role="img"
    aria-label="Blue below an alarm, orange to brown in drift"></canvas> 8× what matters; blue: how near to an alarm,
    orange with a bar below: in drift, empty: not judged</span>`;
}

function clamp(value, size) {
  return Math.min(size - 1, Math.max(0, value));
}
