// Rollouts: a candidate version beside its champion, and what may be concluded by now.
import { html, address, Card, Facts, Pending, State, Time, useTitle } from "../lib/ui.js";
import { tell, useAsk } from "../lib/api.js";
import { Action } from "../lib/act.js";
import { TimeChart } from "../lib/chart.js";
import { useQuery } from "../lib/address.js";
import { count, length, number, percent, signalParts } from "../lib/format.js";

const REFRESH_MS = 30_000;
const LOOKS = { promote: "better", hold: "running", rollback: "worse" };
const WORDS = { promote: "promote", hold: "hold: not decided", rollback: "roll back" };
const SHARES = ["missing", "out_of_range", "new_category", "share"];

export default function Rollouts() {
  useTitle("Rollouts");
  const { query, change, href } = useQuery();
  const rollouts = useAsk("/v1/rollouts", { model: query.model, limit: 100 }, { everyMs: REFRESH_MS });
  const items = rollouts.data?.items ?? [];
  const chosen = query.rollout ?? items[0]?.id;
  return html`<div><div class="head"><h1>Rollouts</h1></div>
    <${Pending} of=${rollouts} />
    ${rollouts.data && !items.length && html`<div class="card"><h2>Nothing is compared</h2>
      <p>Have a candidate compared with its champion while both serve: <code>leeway rollout start MODEL --candidate v8 --champion v7 --metric missing:amount=0.005</code></p></div>`}
    ${items.length > 1 && html`<nav class="card" aria-label="Rollouts"><ul class="plain">${items.map((each) => html`<li class="row">
      <${State} of=${LOOKS[each.verdict]} label=${WORDS[each.verdict]} />
      <a href=${href({ rollout: each.id })} aria-current=${each.id === chosen ? "true" : null} onClick=${(event) => { event.preventDefault(); change({ rollout: each.id }); }}>
        ${each.model}: ${each.champion} → ${each.candidate}</a><span class="small quiet">${each.state}${each.from_ms !== null && html`, since <${Time} ms=${each.from_ms} />`}</span></li>`)}</ul></nav>`}
    ${chosen && html`<${Rollout} key=${chosen} id=${chosen} />`}</div>`;
}

function Rollout({ id }) {
  const asked = useAsk(`/v1/rollouts/${encodeURIComponent(id)}`, { points: 200 }, { everyMs: REFRESH_MS });
  if (!asked.data) return html`<${Pending} of=${asked} />`;
  const rollout = asked.data, isOpen = ["waiting", "running"].includes(rollout.state);
  return html`<div><section class="verdict ${rollout.verdict === "rollback" ? "drift" : rollout.verdict === "promote" ? "ok" : "learning"}" aria-label="Verdict">
      <div class="row"><${State} of=${LOOKS[rollout.verdict]} label=${WORDS[rollout.verdict]} /><span class="quiet">${rollout.state}</span></div>
      <h2 class="first"><a href=${address(["models", rollout.model])}>${rollout.model}</a>: candidate ${rollout.candidate} beside champion ${rollout.champion}</h2>
      <ul>${rollout.compared.map((metric) => html`<li>${metric.words}</li>`)}</ul>
      ${rollout.stop_reason && html`<p>Stopped by ${rollout.stopped_by}: ${rollout.stop_reason}</p>`}
      ${isOpen && html`<${Action} needs="POST /v1/rollouts/{rollout}/stop" label="Stop" title="Stop the comparison" about="The versions are compared no more, and there is no verdict."
        fields=${[{ name: "reason", label: "Why" }]} done=${asked.reload} send=${async (values) => { await tell("POST", `/v1/rollouts/${encodeURIComponent(id)}/stop`, values); return "Stopped."; }} />`}</section>
    <${Card} title="What is compared"><${Facts} of=${[
      ["Since", html`<${Time} ms=${rollout.from_ms} />`, "event time"], ["Up to now", html`<${Time} ms=${rollout.last_ms} />`],
      ["At the latest until", html`<${Time} ms=${rollout.until_ms} />`, length(rollout.lasts_ms)],
      ["A verdict may be wrong", percent(rollout.level), "of the time, however often one looks"],
      ["Started by", rollout.created_by, rollout.reason]]} />
      <p class="small quiet">It holds if ${rollout.assumes.join("; ")}.</p><//>
    <div class="grid">${rollout.compared.map((metric) => html`<${Metric} key=${metric.signal} metric=${metric} rollout=${rollout} />`)}</div></div>`;
}

function Metric({ metric, rollout }) {
  const isShare = SHARES.includes(signalParts(metric.signal).kind);
  const written = (value) => (isShare ? percent(value) : number(value));
  return html`<${Card} title=${metric.signal} aside=${html`<${State} of=${LOOKS[metric.verdict]} label=${WORDS[metric.verdict]} />`}>
    <${Facts} of=${[
      [`Champion ${rollout.champion}`, written(metric.champion_mean), `${count(metric.champion_n)} events`],
      [`Candidate ${rollout.candidate}`, written(metric.candidate_mean), `${count(metric.candidate_n)} events`],
      ["Difference", written(metric.difference), metric.low === null ? "nothing can be concluded yet" : `${written(metric.low)} to ${written(metric.high)}, at any time`],
      ["Allowed", metric.better === "same" ? `± ${written(metric.max_loss)}` : `${metric.better === "lower" ? "+" : "−"} ${written(metric.max_loss)}`, metric.better === "same" ? "it must not differ" : `${metric.better} is better`]]} />
    ${metric.course.length > 0 && html`<${TimeChart} title="${metric.signal}: candidate minus champion" times=${metric.course.map((each) => each.end_ms)} format=${written} height=${200}
      series=${[{ label: "difference", values: metric.course.map((each) => each.difference), tone: "series-1" }, ...allowed(metric)]}
      band=${{ label: "bounds, at any time", low: metric.course.map((each) => each.low), high: metric.course.map((each) => each.high) }} />`}<//>`;
}

/** The largest loss as lines: beyond it the candidate is worse than it may be. */
function allowed({ better, max_loss: loss, course }) {
  const limits = { lower: [loss], higher: [-loss], same: [loss, -loss] }[better];
  return limits.map((limit) => ({ label: "allowed", values: course.map(() => limit), tone: "threshold", dash: true }));
}
