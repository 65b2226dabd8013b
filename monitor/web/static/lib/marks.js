// What was changed, as marks on a time axis: deployments that were announced, and versions whose first events came.
import { useMemo } from "./ui.js";
import { useAsk } from "./api.js";

/** The marks of a span; `versions` are those of `/v1/series/summary`, which is asked for them where they are null. */
export function useMarks(model, span, versions = null) {
  const deployments = useAsk("/v1/deployments", { model, from: span.from, to: span.to });
  const summary = useAsk(versions ? null : "/v1/series/summary", { model });
  const begun = versions ?? summary.data?.items[0]?.versions ?? [];
  return useMemo(() => {
    const announced = (deployments.data?.items ?? []).map((each) => ({ kind: "deployment", at_ms: each.at_ms, label: each.name, link: each.link, version: each.version }));
    // A model begins with its first versions: these are no change.
    const came = begun.filter((each) => each.first_ms > begun[0].first_ms && span.from <= each.first_ms && each.first_ms < span.to)
      .map((each) => ({ kind: "version", at_ms: each.first_ms, label: `version ${each.version || "unnamed"} begins`, version: each.version }));
    return [...announced, ...came].sort((one, other) => one.at_ms - other.at_ms);
  }, [deployments.data, begun, span.from, span.to]);
}

const SHAPES = { deployment: [[-6, 0], [6, 0], [0, 9]], version: [[0, -1], [5, 4], [0, 9], [-5, 4]] };

/** Draw marks with a pen: a dashed line down to `bottom`, below a triangle for a deployment, a diamond for a version. */
export function drawMarks(pen, marks, { xOf, top, bottom, left = 0, right, scale = 1 }) {
  marks.forEach((mark) => {
    const x = xOf(mark.at_ms);
    if (x < left || x > right) return;
    pen.setLineDash(mark.kind === "version" ? [2, 3] : [5, 4]);
    pen.beginPath();
    pen.moveTo(x, top);
    pen.lineTo(x, bottom);
    pen.stroke();
    pen.beginPath();
    SHAPES[mark.kind].forEach(([across, down], index) => pen[index ? "lineTo" : "moveTo"](x + across * scale, top + down * scale));
    pen.fill();
  });
}
