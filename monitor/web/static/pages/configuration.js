// A model's configuration: what it is watched with and why, what has changed, and what a change would do.
import { html, address, Card, Crumbs, Failure, Pending, State, Table, Time, useEffect, useState, useTitle } from "../lib/ui.js";
import { ask, putYaml, useAsk } from "../lib/api.js";
import { useAccount, useMay } from "../lib/account.js";
import { Action } from "../lib/act.js";
import { useQuery } from "../lib/address.js";
import { Preview, written } from "../editor/preview.js";
import { Editor } from "../editor/editor.js";
import { dropDraft, keepDraft, keptDraft } from "../editor/draft.js";

const REFRESH_MS = 5_000;
const VERSIONS = 100, SETTINGS = 300;
const PUT = "PUT /v1/models/{model}/configuration";
const numberOf = (text) => (/^[1-9]\d{0,8}$/.test(text ?? "") ? Number(text) : null);

export default function Configuration({ model }) {
  useTitle(`${model}: configuration`);
  const { query, change, href } = useQuery();
  const path = `/v1/models/${encodeURIComponent(model)}/configuration`;
  const shown = numberOf(query.version), from = numberOf(query.from), to = numberOf(query.to);
  const stored = useAsk(path);
  const versions = useAsk(`${path}/versions`, { limit: VERSIONS }, { everyMs: REFRESH_MS });
  const [place, setPlace] = useState(null);
  const newest = versions.data?.items[0];
  useEffect(() => { if (newest && stored.data && newest.digest !== stored.data.digest) stored.reload(); }, [newest?.digest]);
  const goTo = (next) => {
    if (query.version) change({ version: null });
    setPlace(next);
  };
  const reload = () => { stored.reload(); versions.reload(); };
  const trail = html`<${Crumbs} trail=${[["Models", address([])], [model, address(["models", model])], ["Configuration"]]} />`;
  if (!stored.data) return html`<div>${trail}<h1>Configuration of ${model}</h1><${Pending} of=${stored} /></div>`;
  return html`<div>${trail}<h1>Configuration of ${model}</h1>
    <${Owner} stored=${stored.data} versions=${versions.data} />
    ${shown === null || shown === stored.data.version
      ? html`<${Current} key="current" ...${{ model, path, stored: stored.data, place, reload }} />`
      : html`<${Earlier} key=${shown} ...${{ path, version: shown, query, change, href }} />`}
    ${to !== null && html`<${Compared} key="${from}-${to}" ...${{ path, from, to, change }} />`}
    <${Versions} ...${{ path, stored: stored.data, isLate: stored.isLoading, versions, href, reload }} />
    <${Effective} ...${{ path, stored: stored.data, isInForce: versions.data?.is_in_force, goTo }} /></div>`;
}

/** Who may change it, and whether every process goes by it: the first thing that is read. */
function Owner({ stored, versions }) {
  const account = useAccount();
  const may = useMay(PUT);
  const { owner, file, template, version } = stored;
  const behind = versions && !versions.is_in_force;
  return html`<section class="verdict ${behind ? "warning" : "ok"}" aria-label="Who may change it">
    <p class="first">${owner === "file" ? "A file owns this configuration: it is not changed here." : owner === "nobody" ? "This model was given up: it is not watched." : "The API owns this configuration: it is changed here, or by leeway apply."}</p>
    ${owner === "file" && html`<p><code>${file || "the service's own configuration"}</code> says what holds. Change it there, and send SIGHUP to the service; or take
      it out of the service's models, send SIGHUP, and apply it: the API has it from then on.</p>`}
    ${template && html`<p>The model has registered itself, like the template ${template}.</p>`}
    ${owner !== "file" && account && !may && html`<p>You may read it${account.role && ` (${account.role})`}. To change it takes the role editor: ask an administrator.</p>`}
    <p class="small">Version ${version}, digest <code>${stored.digest}</code>${stored.author && `, by ${stored.author}`}, <${Time} ms=${stored.at_ms || null} />${stored.reason && `: ${stored.reason}`}</p>
    ${versions && (behind
      ? html`<ul>${versions.not_converged.map((each) => html`<li><${State} of="warning" label="not in force" /> ${each.instance && `${each.instance}: `}${each.why || `goes by version ${each.version}, and has not looked yet`}</li>`)}</ul>`
      : html`<p><${State} of="ok" label="in force everywhere" /></p>`)}</section>`;
}

/** What holds: to be read by everybody, and to be changed by whoever may. */
function Current({ model, path, stored, place, reload }) {
  const isEditable = useMay(PUT) && stored.owner === "api";
  const schema = useAsk("/v1/schemas/model");
  const [draft, setDraft] = useState(() => keptDraft(model));
  const [checked, setChecked] = useState(null);
  const [mistakes, setMistakes] = useState([]);
  const [error, setError] = useState(null);
  const [said, setSaid] = useState("");
  const isChanged = isEditable && draft !== null && draft.text !== stored.document;
  const text = isChanged ? draft.text : stored.document;
  const base = isChanged ? draft : stored;
  const clear = () => { setChecked(null); setMistakes([]); setError(null); };
  const write = (next) => {
    const kept = { text: next, version: base.version, digest: base.digest };
    setDraft(kept);
    keepDraft(model, kept);
    setSaid("");
    clear();
  };
  const discard = () => { dropDraft(model); setDraft(null); clear(); };
  const rebase = () => { const kept = { ...draft, version: stored.version, digest: stored.digest }; setDraft(kept); keepDraft(model, kept); clear(); };
  const refused = (problem) => {
    setChecked(null);
    if (problem.kind === "bad-configuration") setMistakes(problem.errors);
    else setError(problem);
  };
  const apply = async ({ created_by: by, reason }) => {
    let version;
    try {
      version = await putYaml(path, text, { reason, created_by: by }, { replaces: base.digest });
    } catch (problem) {
      if (problem.kind === "precondition-failed") {
        reload();
        problem.title = "Someone changed it meanwhile";
        problem.detail = "Nothing of yours is in force, and nothing of theirs is lost. Close this: what they changed is above your text.";
      }
      throw problem;
    }
    discard();
    reload();
    setSaid(`Version ${version.version} is accepted. Processes take it up within seconds; above it says when all have. ${version.notes.join(" ")}`);
    return "";
  };
  return html`<div>
    ${isChanged && base.digest !== stored.digest && html`<${Conflict} ...${{ path, base, stored, rebase, discard }} />`}
    <${Card} title=${isChanged ? `Your change of version ${base.version}` : `Document of version ${stored.version}`}
      aside=${isEditable && html`<div class="row">${isChanged && html`<button type="button" onClick=${discard}>Discard the change</button>`}
        <button type="button" class="first" disabled=${!isChanged} onClick=${() => { clear(); setChecked({ text, digest: base.digest }); }}>Check, and see what it does</button></div>`}>
      <p role="status" class="small">${said}</p>
      <${Editor} label="The model's document, YAML" text=${text} changed=${isEditable ? write : null} mistakes=${mistakes} schema=${schema.data} place=${place} />
      <${Failure} error=${error} /><//>
    ${checked && html`<${Preview} key=${`${checked.digest} ${checked.text}`} title="What your change does" refused=${refused}
      load=${async (days, signal) => {
        const plan = await putYaml(path, checked.text, { dry_run: true, days }, { signal });
        return { ...plan.difference, notes: plan.notes };
      }}
      aside=${html`<${Action} kind="first" needs=${PUT} label="Apply …" title="Apply" fields=${[{ name: "reason", label: "Why, for whoever reads the versions", isRequired: true }]} send=${apply}
        about="It is in force in every process within seconds. Series that restart learning do not alarm until they have learned again." />`} />`}</div>`;
}

/** Somebody was faster: who, when, why, and what they changed. */
function Conflict({ path, base, stored, rebase, discard }) {
  const diff = useAsk(`${path}/diff`, base.version ? { from: base.version, to: stored.version } : {});
  const fields = diff.data?.fields ?? [];
  return html`<section class="verdict warning" role="alert" aria-label="Someone changed it meanwhile">
    <p class="first">Someone changed it meanwhile</p>
    <p>Version ${stored.version}${stored.author && ` by ${stored.author}`}, <${Time} ms=${stored.at_ms || null} />${stored.reason && `: ${stored.reason}`}. You began with version ${base.version}.</p>
    <${Failure} error=${diff.error} />
    ${diff.data && html`<ul>${fields.slice(0, 10).map((each) => html`<li><code>${each.path}</code>: ${written(each.before)} → ${written(each.after)}</li>`)}
      ${fields.length > 10 && html`<li>and ${fields.length - 10} more</li>`}${!fields.length && html`<li>Only comments or the order of the text differ.</li>`}</ul>`}
    <div class="row"><button type="button" onClick=${discard}>Take theirs, discard mine</button>
      <button type="button" onClick=${rebase}>Go on with my text: it replaces theirs</button></div></section>`;
}

function Earlier({ path, version, change, href }) {
  const stored = useAsk(path, { version });
  const back = html`<a class="button" href=${href({ version: null })} onClick=${(event) => { event.preventDefault(); change({ version: null }); }}>Back to what holds</a>`;
  return html`<${Card} title="Document of version ${version}" aside=${back} asked=${stored}>
    ${stored.data && html`<${Editor} label="Document of version ${version}, to be read" text=${stored.data.document} />`}<//>`;
}

function Compared({ path, from, to, change }) {
  const close = html`<button type="button" onClick=${() => change({ from: null, to: null })}>Close</button>`;
  return html`<${Preview} title=${from === null ? `What version ${to} changed` : `From version ${from} to version ${to}`} days=${0}
    load=${(days, signal) => ask(`${path}/diff`, { from, to, days }, { signal })} aside=${close} />`;
}

function Versions({ path, stored, isLate, versions, href, reload }) {
  // The row's own button goes with what it did.
  const [said, setSaid] = useState("");
  if (!versions.data) return html`<${Failure} error=${versions.error} retry=${versions.reload} />`;
  const isOurs = stored.owner !== "file";
  const rollBack = (version) => async ({ created_by: by, reason }) => {
    const earlier = await ask(path, { version });
    const { version: next } = await putYaml(path, earlier.document, { reason: reason || `back to version ${version}`, created_by: by }, { replaces: stored.digest });
    dropDraft(stored.model);
    reload();
    setSaid(`Version ${next} is as version ${version} was.`);
    return "";
  };
  return html`<${Card} title="Versions"><p role="status" class="small">${said}</p><${Table} caption="Versions of the configuration" rows=${versions.data.items} keyOf=${(row) => row.version} columns=${[
    ["version", (row) => (row.version && row.owner !== "nobody" ? html`<a href=${href({ version: row.version })}>${row.version}</a>` : row.version || "")],
    ["since", (row) => html`<${Time} ms=${row.at_ms || null} />`], ["by", (row) => row.author || (row.template ? "itself" : row.owner === "file" ? "the file" : "")],
    ["why", (row) => row.reason || (row.owner === "nobody" ? "given up" : "")], ["digest", (row) => html`<code>${row.digest}</code>`],
    ["file", (row) => row.file],
    ["changed", (row) => row.version > 0 && row.owner !== "nobody" && html`<a href=${href({ from: null, to: row.version })}>what<span class="hidden"> version ${row.version} changed</span></a>
      ${row.version !== stored.version && html`<small class="block"><a href=${href({ from: stored.version, to: row.version })}>beside what holds</a></small>`}`],
    ["to do", (row) => isOurs && row.version > 0 && row.digest !== stored.digest && row.owner !== "nobody" && html`<${Action} needs=${PUT} label="Roll back" title="Roll back to version ${row.version}"
      about="Its document is in force again, as a new version. Changes since then end." fields=${[{ name: "reason", label: "Why" }]} send=${rollBack(row.version)} isLate=${isLate} />`]]} />
    ${versions.data.next_cursor && html`<p class="small quiet">The last ${VERSIONS}; <code>leeway versions</code> lists all.</p>`}<//>`;
}

/** Every value that holds, and what says it. */
function Effective({ path, stored, isInForce, goTo }) {
  const effective = useAsk(`${path}/effective`);
  const [words, setWords] = useState("");
  const [hasDefaults, setDefaults] = useState(false);
  const [most, setMost] = useState(SETTINGS);
  useEffect(() => { if (isInForce) effective.reload(); }, [isInForce, stored.digest]);
  if (!effective.data) return html`<${Failure} error=${effective.error} retry=${effective.reload} />`;
  const sought = words.toLowerCase();
  const rows = effective.data.items.map((item) => ({ ...item, name: item.path.join(".") }))
    .filter((item) => (hasDefaults || item.layer !== "leeway") && `${item.name} ${written(item.value)}`.toLowerCase().includes(sought));
  const aside = html`<div class="row"><label>Find<input type="search" value=${words} onInput=${(event) => setWords(event.target.value)} /></label>
    <button type="button" class="bare" aria-pressed=${String(hasDefaults)} onClick=${() => setDefaults(!hasDefaults)}>Leeway's defaults too</button></div>`;
  return html`<${Card} title="What holds, and what says it" aside=${aside}><${Table} caption="Values of the configuration" rows=${rows.slice(0, most)} keyOf=${(row) => row.name} empty="No value is like that." columns=${[
    ["key", (row) => html`<code>${row.name}</code>`], ["value", (row) => html`<code>${written(row.value)}</code>`],
    ["says", (row) => html`<${Origin} of=${row} goTo=${goTo} />`]]} />
    ${rows.length > most && html`<p><button type="button" onClick=${() => setMost(most + SETTINGS)}>Show more (${rows.length - most})</button></p>`}<//>`;
}

function Origin({ of: { layer, file, line, column }, goTo }) {
  if (layer === "leeway") return "Leeway's default";
  const what = { model: "", namespace: ", defaults of the namespace", defaults: ", defaults" }[layer];
  if (file) return html`<span>${file}:${line}${what}</span>`;
  return html`<button type="button" class="bare" onClick=${() => goTo({ line, column })}>line ${line}</button>`;
}
