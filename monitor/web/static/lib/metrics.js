// The service's own figures, as Prometheus reads them.
import { useEffect, useState } from "../vendor/htm-preact.js";
import { useMay } from "./account.js";
import { root } from "./address.js";
import { useUnanswered } from "./api.js";

const SAMPLE = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]+)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES = { "\\n": "\n", '\\"': '"', "\\\\": "\\" };

/** Samples of some metrics, `{name, labels, value}`, of the process that answers; null until they are known, and to whoever may not. */
export function useMetrics(names, { everyMs }) {
  const [samples, setSamples] = useState();
  const may = useMay("GET /metrics");
  useEffect(() => {
    if (!may) return undefined;
    const read = () => { if (!document.hidden) scrape(names).then(setSamples, () => setSamples(null)); };
    read();
    const timer = setInterval(read, everyMs);
    return () => clearInterval(timer);
  }, [names.join(" "), everyMs, may]);
  useUnanswered(may && samples === undefined);
  return samples ?? null;
}

async function scrape(names) {
  const answer = await fetch(`${root}/metrics`, { cache: "no-store" });
  if (!answer.ok) throw new Error(answer.statusText);
  return (await answer.text()).split("\n").map((line) => SAMPLE.exec(line)).filter((sample) => sample && names.includes(sample[1])).map(([, name, labels, value]) => ({
    name, value: Number(value),
    labels: Object.fromEntries([...(labels ?? "").matchAll(LABEL)].map(([, label, text]) => [label, text.replace(/\\[n"\\]/g, (escape) => ESCAPES[escape])])),
  }));
}
