// Things to do: a button that asks for what is needed, sends it once, and says what became of it.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { useAccount } from "./account.js";
import { Failure } from "./ui.js";

const NAME = "leeway-name";

/**
 * A button for whoever may send the operation that it `needs`, such as `POST /v1/marks`; absent for everybody else.
 * `fields` are `{name, label, kind, options, value, isRequired}`; `send` gets their values with `created_by`, and
 * returns a sentence that says what was done. It waits where `isLate`: what it would act on is about to change.
 */
export function Action({ needs, label, title = label, about, fields = [], send, done, kind = "", isLate = false }) {
  const account = useAccount();
  const [isOpen, setOpen] = useState(false);
  const [said, setSaid] = useState("");
  if (account === null || !account.may.includes(needs)) return null;
  const finish = (sentence) => { setOpen(false); setSaid(sentence); done?.(); };
  return html`<span class="action"><button type="button" class=${kind} disabled=${isLate} onClick=${() => setOpen(true)}>${label}</button>
    <span role="status" class="small">${said}</span>
    ${isOpen && html`<${Dialog} title=${title} about=${about} account=${account} fields=${fields} send=${send} finish=${finish} close=${() => setOpen(false)} />`}</span>`;
}

function Dialog({ title, account, finish, close, ...rest }) {
  const dialog = useRef(null);
  // The page behind it goes on: what is sent is what was asked.
  const [{ about, fields, send }] = useState(rest);
  const [error, setError] = useState(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => { dialog.current.showModal(); }, []);
  const submit = async (event) => {
    event.preventDefault();
    const values = valuesOf(event.target, fields);
    if (!account.name) localStorage.setItem(NAME, values.created_by);
    setBusy(true);
    try {
      finish(await send({ created_by: account.name, ...values }));
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return html`<dialog ref=${dialog} onClose=${close} aria-label=${title}><form onSubmit=${submit}>
    <h2>${title}</h2>${about && html`<p>${about}</p>`}
    ${fields.map((field) => html`<${Field} key=${field.name} of=${field} />`)}
    ${!account.name && html`<${Field} of=${{ name: "created_by", label: "Your name", value: localStorage.getItem(NAME) ?? "", isRequired: true }} />`}
    <${Failure} error=${error} />
    <div class="row"><button class="first" disabled=${isBusy}>${isBusy ? "One moment …" : title}</button>
      <button type="button" onClick=${() => dialog.current.close()}>Cancel</button></div></form></dialog>`;
}

function valuesOf(form, fields) {
  const data = new FormData(form);
  const values = Object.fromEntries([...data.keys()].map((name) => [name, data.get(name)]));
  fields.filter(({ kind }) => kind === "several").forEach(({ name }) => { values[name] = data.getAll(name); });
  return values;
}

function Field({ of: { name, label, kind = "line", options = [], value = "", isRequired = false } }) {
  if (kind === "several") {
    return html`<fieldset><legend>${label}</legend>${options.map(([each, text]) =>
      html`<label class="tick"><input type="checkbox" name=${name} value=${each} defaultChecked=${value.includes(each)} />${text}</label>`)}</fieldset>`;
  }
  if (kind === "one") {
    return html`<label>${label}<select name=${name}>${options.map(([each, text]) =>
      html`<option value=${each} selected=${each === value}>${text}</option>`)}</select></label>`;
  }
  if (kind === "text") return html`<label>${label}<textarea name=${name} rows="3" required=${isRequired}>${value}</textarea></label>`;
  return html`<label>${label}<input name=${name} defaultValue=${value} required=${isRequired} /></label>`;
}
