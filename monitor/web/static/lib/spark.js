// A few figures over time in a line of bars, small enough for a row of a table.
import { html } from "../vendor/htm-preact.js";
import { times } from "./format.js";

const WIDTH = 6, HEIGHT = 24, FULL = 8;

/** How far something was from normal in equal parts of a time: the line is the threshold, a full bar 8 of them. */
export function Spark({ strengths }) {
  const reached = strengths.filter((each) => each > 0);
  const said = reached.length
    ? `drift in ${reached.length} of ${strengths.length} parts of the time, at most ${times(Math.max(...reached))} the threshold`
    : "no drift";
  return html`<svg class="spark" role="img" aria-label=${said} width=${strengths.length * WIDTH} height=${HEIGHT}
      viewBox="0 0 ${strengths.length * WIDTH} ${HEIGHT}">
    <path class="quiet-bars" d=${strengths.map((each, at) => (each > 0 ? "" : bar(at, 2))).join("")} />
    <path class="drift-bars" d=${strengths.map((each, at) => (each > 0 ? bar(at, tall(each)) : "")).join("")} />
    <title>${said}</title></svg>`;
}

function tall(strength) {
  return 6 + (HEIGHT - 6) * Math.min(1, Math.max(0, Math.log(strength)) / Math.log(FULL));
}

function bar(at, height) {
  return `M${at * WIDTH} ${HEIGHT}v${-height.toFixed(1)}h${WIDTH - 1}v${height.toFixed(1)}z`;
}
