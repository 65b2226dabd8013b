// Access: who you are and what you may, tokens, and who did what.
import { html, Card, Choices, Facts, Failure, Pending, State, Table, Time, useEffect, useRef, useState, useTitle } from "../lib/ui.js";
import { tell, useAsk } from "../lib/api.js";
import { useAccount } from "../lib/account.js";
import { Action } from "../lib/act.js";
import { isTime, useQuery } from "../lib/address.js";
import { serviceNow } from "../lib/service.js";
import { LocalEnds } from "../lib/span.js";

const ROLES = {
  viewer: "reads everything, and changes nothing",
  editor: "reads, and changes what concerns models: silences, marks, subscriptions, rollouts, configurations",
  admin: "may everything: tokens, dead letters, erasures, jobs, and what the others may",
  ingest: "posts events and alerts, and reads nothing",
};
const STATES = { good: "ok", expired: "no_data", revoked: "failed" };
const LENGTHS = [["30d", "30 days"], ["90d", "90 days"], ["365d", "a year"], ["", "never by itself"]];
const PAGE = 50, TOKENS = 100;
const SPANS = [["all", "All"], ["1d", "Day"], ["7d", "Week"], ["30d", "30 days"]];
const DAY_MS = 86_400_000;

export default function Access() {
  useTitle("Access");
  const account = useAccount();
  if (!account) return html`<div><h1>Access</h1><p class="quiet" aria-busy="true">Asking …</p></div>`;
  const isAdministrator = account.may.includes("GET /v1/tokens");
  return html`<div><h1>Access</h1><${Self} account=${account} isAdministrator=${isAdministrator} />
    ${account.role !== null && isAdministrator && html`<div><${Tokens} account=${account} /><${Audit} account=${account} /></div>`}</div>`;
}

/** Who looks, what they may, and whom to ask for more: the first thing that is read. */
function Self({ account, isAdministrator }) {
  const { name, role, namespaces, may, created_by: maker, expires_ms: expiresMs } = account;
  if (role === null) {
    return html`<section class="verdict warning" aria-label="Who you are"><p class="first">This service asks nobody who they are</p>
      <p>Whoever reaches it may do everything: there are no tokens, and nothing is written into the audit log. To have it ask, state who may in
        <code>spec.access</code> of the service's file, and start it again.</p></section>`;
  }
  return html`<div><section class="verdict ok" aria-label="Who you are"><p class="first">You are ${name} (${role})</p>
    <p>Your role ${ROLES[role]}${namespaces.length > 0 && `, of models of ${namespaces.join(", ")} alone, as if there were no others`}.</p>
    ${!isAdministrator && html`<p>Tokens and the audit log are for administrators of the whole service. For another role, or more namespaces, ask
      ${maker ? html` <strong>${maker}</strong>, who made your token` : " whoever keeps the service's configuration, or the groups of your login provider"}; an
      administrator makes tokens on this page, or with <code>leeway token create</code>.</p>`}
    ${expiresMs && html`<p>Good until <${Time} ms=${expiresMs} />.</p>`}
    <details><summary>What you may ask of the API (${may.length})</summary><ul>${may.map((each) => html`<li><code>${each}</code></li>`)}</ul></details></section></div>`;
}

function Tokens({ account }) {
  const tokens = useAsk("/v1/tokens");
  const [made, setMade] = useState(null);
  const [hasEnded, setEnded] = useState(false);
  const [most, setMost] = useState(TOKENS);
  const create = async ({ name, role, namespaces, expires }) => {
    const named = namespaces.split(/[\s,]+/).filter(Boolean);
    setMade(await tell("POST", "/v1/tokens", { name: name.trim(), role, expires, ...(named.length && { namespaces: named }) }));
    return "";
  };
  const revoke = (token) => async () => {
    await tell("DELETE", `/v1/tokens/${encodeURIComponent(token.id)}`);
    if (made?.id === token.id) setMade(null);
    return "Revoked.";
  };
  const rows = (tokens.data?.items ?? []).filter((token) => hasEnded || token.state === "good");
  const ended = (tokens.data?.items.length ?? 0) - (tokens.data?.items ?? []).filter((token) => token.state === "good").length;
  const aside = html`<div class="row">${ended > 0 && html`<button type="button" class="bare" aria-pressed=${String(hasEnded)} onClick=${() => setEnded(!hasEnded)}>Those that have ended, too (${ended})</button>`}
    <${Action} kind="first" needs="POST /v1/tokens" label="New token" title="Make the token" done=${tokens.reload} send=${create}
      about="Give every person and program one of its own. Its secret is shown once, and is not kept."
      fields=${[{ name: "name", label: "Who will hold it", isRequired: true },
        { name: "role", label: "Role", kind: "one", value: "viewer", options: Object.entries(ROLES).map(([role, does]) => [role, `${role}: ${does}`]) },
        { name: "namespaces", label: "For the models of these namespaces alone, separated by commas; of all if empty" },
        { name: "expires", label: "Ends after", kind: "one", options: LENGTHS, value: "90d" }]} /></div>`;
  return html`<div>${made && html`<${Secret} key=${made.id} of=${made} close=${() => setMade(null)} />`}
    <${Card} title="Tokens" aside=${aside} asked=${tokens}>
    ${tokens.data && html`<${Table} caption="Tokens" rows=${rows.slice(0, most)} keyOf=${(token) => token.id ?? `configuration/${token.name}`} empty="No token is good." columns=${[
      ["name", (token) => html`<strong>${token.name}</strong>${token.name === account.name && token.state === "good" && html`<small class="block">yours</small>`}`],
      ["role", (token) => token.role], ["namespaces", (token) => token.namespaces.join(", ") || "all"],
      ["begins with", (token) => (token.prefix ? html`<code>${token.prefix}</code>` : html`<span class="quiet">in the configuration</span>`)],
      ["state", (token) => html`<${State} of=${STATES[token.state]} label=${token.state} />${token.revoked_ms !== null && html`<small class="block"><${Time} ms=${token.revoked_ms} /> by ${token.revoked_by}</small>`}`],
      ["made", (token) => token.created_ms !== null && html`<${Time} ms=${token.created_ms} /><small class="block">by ${token.created_by}</small>`],
      ["ends", (token) => html`<${Time} ms=${token.expires_ms} />`],
      ["used", (token) => (token.used_ms === null ? html`<span class="quiet">not known</span>` : html`<${Time} ms=${token.used_ms} relative />`)],
      ["to do", (token) => token.id !== null && token.state === "good" && html`<${Action} needs="DELETE /v1/tokens/{token}" label="Revoke" title="Revoke ${token.name}" done=${tokens.reload} send=${revoke(token)}
        about="${token.name === account.name ? "This may be the token that you use now. " : ""}Whoever shows it is refused within seconds, and streams end. It cannot be undone: make another one." />`]]} />
      ${rows.length > most && html`<p><button type="button" onClick=${() => setMost(most + TOKENS)}>Show more (${rows.length - most})</button></p>`}`}<//></div>`;
}

/** The secret of a token that was just made: it is nowhere else. */
function Secret({ of: { name, secret }, close }) {
  const field = useRef(null);
  const [said, setSaid] = useState("");
  useEffect(() => { field.current.focus(); field.current.select(); }, []);
  const copy = async () => {
    field.current.select();
    try {
      await navigator.clipboard.writeText(secret);
      setSaid("Copied.");
    } catch {
      // Without HTTPS browsers have no clipboard for pages; what is selected they copy.
      setSaid(document.execCommand("copy") ? "Copied." : "The browser does not let a page copy: press Ctrl+C.");
    }
  };
  return html`<section class="verdict warning" aria-label="The new token"><p class="first">The secret of ${name}: it is shown this once</p>
    <div class="row"><input class="secret" ref=${field} readonly value=${secret} aria-label="Secret of ${name}" />
      <button type="button" class="first" onClick=${copy}>Copy</button><button type="button" onClick=${close}>I have it, hide it</button>
      <span role="status" class="small">${said}</span></div></section>`;
}

/** Who did what, the latest first, page by page. */
function Audit({ account }) {
  const { query, change, href } = useQuery();
  const span = auditSpan(query);
  const parameters = { who: query.who, operation: query.operation, from: span.from, to: span.to, limit: PAGE };
  return html`<${Card} title="Who did what">
    <${Filters} ...${{ account, query, span, change, href }} />
    <${Entries} key=${JSON.stringify([query.who, query.operation, query.from, query.to, query.span])} parameters=${parameters} /><//>`;
}

function auditSpan(query) {
  const from = Number(query.from), to = Number(query.to);
  if ([from, to].every(isTime) && from < to) return { from, to, name: "" };
  const isNamed = ["1d", "7d", "30d"].includes(query.span);
  return { from: isNamed ? `-${query.span}` : null, to: null, name: isNamed ? query.span : "all" };
}

function Filters({ account, query, span, change, href }) {
  const [isOpen, setOpen] = useState(false);
  const cleared = { from: null, to: null };
  const submit = (event) => {
    event.preventDefault();
    const data = new FormData(event.target);
    change({ who: data.get("who").trim() || null, operation: data.get("operation").trim() || null });
  };
  return html`<div><form class="row filters" key="${query.who}/${query.operation}" onSubmit=${submit}>
      <label>Who<input name="who" type="search" defaultValue=${query.who ?? ""} /></label>
      <label>What<input name="operation" type="search" list="operations" placeholder="POST /v1/tokens" defaultValue=${query.operation ?? ""} /></label>
      <datalist id="operations">${account.may.filter((each) => !/^(GET|HEAD) (?!\/v1\/(dead-letters|findings|subscriptions))/.test(each)).map((each) => html`<option value=${each}></option>`)}</datalist>
      <button>Find</button></form>
    <div class="row"><${Choices} label="Span of time" of=${SPANS} value=${span.name} href=${(name) => href({ span: name === "all" ? null : name, ...cleared })}
        onChoose=${(name) => { setOpen(false); change({ span: name === "all" ? null : name, ...cleared }); }} />
      <button type="button" aria-expanded=${String(isOpen)} aria-pressed=${String(span.name === "")} onClick=${() => setOpen(!isOpen)}>From … to</button>
      ${isOpen && html`<${LocalEnds} span=${span.name === "" ? span : { from: serviceNow() - DAY_MS, to: serviceNow() }} chosen=${(from, to) => { setOpen(false); change({ from, to, span: null }); }} />`}</div></div>`;
}

function Entries({ parameters }) {
  const [cursors, setCursors] = useState([null]);
  const page = useAsk("/v1/audit", { ...parameters, cursor: cursors.at(-1) });
  const rows = page.data?.items ?? [];
  if (!page.data) return html`<${Pending} of=${page} />`;
  return html`<div class=${page.isLoading ? "stale" : ""}><${Failure} error=${page.error} retry=${page.reload} />
    <${Table} caption="The audit log" rows=${rows} keyOf=${(row) => row.id} empty="Nothing is written of that." columns=${[
      ["when", (row) => html`<${Time} ms=${row.at_ms} />`],
      ["who", (row) => html`<strong>${row.who || "nobody"}</strong>${row.role && html` <small>${row.role}</small>`}<small class="block">${row.address}</small>`],
      ["what", (row) => html`<code>${row.operation}</code>`],
      ["about", (row) => html`<span class="clamp" title=${row.subject}>${row.subject}</span>${row.unlisted > 0 && html`<small class="block">and ${row.unlisted} like it before, not listed</small>`}`],
      ["answer", (row) => html`<${State} of=${row.status < 400 ? "ok" : row.status < 500 ? "warning" : "failed"} label=${String(row.status)} /><small class="block">${row.reason}</small>`]]} />
    <div class="row">${cursors.length > 1 && html`<button type="button" onClick=${() => setCursors(cursors.slice(0, -1))}>Later ones</button>`}
      ${page.data.next_cursor && html`<button type="button" onClick=${() => setCursors([...cursors, page.data.next_cursor])}>Earlier ones</button>`}</div></div>`;
}
