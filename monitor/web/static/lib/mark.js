// What a person says of a signal: its level is right now, or its alarm was false. Absent for who may not.
import { html, useEffect, useRef, useState } from "./ui.js";
import { tell } from "./api.js";
import { useAccount, useMay } from "./account.js";

const WORDS = {
  accepted: ["Accept as new normal", "The level that the signal has now is right; it is what windows are compared with from here on."],
  false: ["Mark as false alarm", "The alert was about nothing. It counts among the false alarms, beside those that are accepted."],
};

export function Marks({ model, signal, segment, version, done }) {
  const may = useMay("POST /v1/marks");
  const [says, setSays] = useState(null);
  if (!may) return null;
  return html`<div class="row">${Object.entries(WORDS).map(([each, [label]]) => html`<button onClick=${() => setSays(each)}>${label}</button>`)}
    ${says && html`<${Saying} key=${says} ...${{ model, signal, segment, version, says }} close=${() => setSays(null)} done=${done} />`}</div>`;
}

function Saying({ says, close, done, ...of }) {
  const account = useAccount();
  const dialog = useRef(null);
  const [fields, setFields] = useState({ reason: "", created_by: "" });
  const [failure, setFailure] = useState(null);
  const [isSending, setSending] = useState(false);
  useEffect(() => { dialog.current.showModal(); }, []);
  const [label, meaning] = WORDS[says];
  const set = (name) => (event) => setFields({ ...fields, [name]: event.target.value });
  const send = async (event) => {
    event.preventDefault();
    setSending(true);
    try {
      await tell("POST", "/v1/marks", { ...of, version: of.version ?? "", says, ...fields, created_by: account?.name || fields.created_by });
      close();
      done?.();
    } catch (error) {
      setFailure(error);
      setSending(false);
    }
  };
  return html`<dialog ref=${dialog} onClose=${close} aria-label=${label}><form onSubmit=${send}>
    <h2>${label}</h2><p>${meaning}</p><p class="small quiet">${of.signal}${of.segment && `, segment ${of.segment}`}</p>
    ${failure && html`<div class="failure" role="alert"><p><strong>${failure.title}.</strong> ${failure.detail}</p></div>`}
    <label>Why, for whoever asks later<textarea required=${says === "accepted"} rows="3" value=${fields.reason} onInput=${set("reason")}></textarea></label>
    ${!account?.name && html`<label>Who you are<input required value=${fields.created_by} onInput=${set("created_by")} /></label>`}
    <div class="row"><button class="first" disabled=${isSending}>${label}</button><button type="button" onClick=${() => dialog.current.close()}>Cancel</button></div>
  </form></dialog>`;
}
