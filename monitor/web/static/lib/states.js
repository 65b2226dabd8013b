// What each state looks like, everywhere: a colour that the colour-blind tell apart, a glyph, and a word.

const LOOKS = {
  drift: { tone: "drift", glyph: "▲", label: "drift" },
  firing: { tone: "drift", glyph: "▲", label: "firing" },
  updated: { tone: "drift", glyph: "▲", label: "firing" },
  critical: { tone: "drift", glyph: "▲", label: "critical" },
  failed: { tone: "drift", glyph: "▲", label: "failed" },
  worse: { tone: "drift", glyph: "▲", label: "worse" },
  warning: { tone: "warning", glyph: "◆", label: "warning" },
  pending: { tone: "warning", glyph: "◆", label: "pending" },
  acknowledged: { tone: "warning", glyph: "◆", label: "taken on" },
  ok: { tone: "ok", glyph: "●", label: "ok" },
  resolved: { tone: "ok", glyph: "●", label: "resolved" },
  protecting: { tone: "ok", glyph: "●", label: "protecting" },
  delivered: { tone: "ok", glyph: "●", label: "delivered" },
  better: { tone: "ok", glyph: "●", label: "better" },
  learning: { tone: "learning", glyph: "◐", label: "learning" },
  running: { tone: "learning", glyph: "◐", label: "running" },
  blind: { tone: "blind", glyph: "✕", label: "blind" },
  silenced: { tone: "blind", glyph: "✕", label: "silenced" },
  muted: { tone: "blind", glyph: "✕", label: "muted" },
  no_data: { tone: "none", glyph: "○", label: "no data" },
  info: { tone: "none", glyph: "○", label: "info" },
};

/** How a state looks: its tone (a class), glyph and label; one that is not in the table says its own name. */
export function looksOf(state) {
  return LOOKS[state] ?? { tone: "none", glyph: "○", label: String(state ?? "unknown") };
}

/** The gravest first. */
const ORDER = ["drift", "firing", "warning", "blind", "learning", "no_data", "ok", "protecting"];

export function gravest(states) {
  return [...states].sort((a, b) => rank(a) - rank(b))[0];
}

function rank(state) {
  const at = ORDER.indexOf(state);
  return at < 0 ? ORDER.length : at;
}

/** The colour that a variable of the style sheet has now, for canvases. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Call back when the reader changes between dark and light. */
export function onScheme(changed) {
  const queries = [matchMedia("(prefers-color-scheme: dark)"), matchMedia("print")];
  queries.forEach((query) => query.addEventListener("change", changed));
  return () => queries.forEach((query) => query.removeEventListener("change", changed));
}

// Below the threshold a quiet blue that grows darker, beyond it orange to red-brown: the break is at 1, and both
// halves differ in lightness, so that grey prints and any eye keep the order.
const BELOW = { light: [[238, 242, 246], [150, 184, 210]], dark: [[33, 43, 54], [62, 98, 128]] };
const BEYOND = { light: [[247, 178, 110], [110, 30, 0]], dark: [[196, 92, 30], [255, 226, 190]] };
const FULL = 8;

/** The colour of an effect in thresholds; what is not in drift has one of those below, however large; null where nothing was judged. */
export function heatColour(ratio, isDrift = ratio >= 1) {
  const scheme = matchMedia("(prefers-color-scheme: dark)").matches && !matchMedia("print").matches ? "dark" : "light";
  if (ratio === null || ratio === undefined || Number.isNaN(ratio)) return null;
  if (!isDrift) return mix(BELOW[scheme], Math.min(1, Math.max(0, ratio)));
  return mix(BEYOND[scheme], Math.min(1, Math.log(Math.max(1, ratio)) / Math.log(FULL)));
}

function mix([low, high], share) {
  return `rgb(${low.map((part, index) => Math.round(part + (high[index] - part) * share)).join(",")})`;
}
