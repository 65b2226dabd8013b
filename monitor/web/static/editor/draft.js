// A change that is being written is kept in this tab, so that the page can be left.
const nameOf = (model) => `leeway-draft:${model}`;

/** `{text, version, digest}`: the text, and which version it is a change of; null where there is none. */
export function keptDraft(model) {
  try {
    const draft = JSON.parse(sessionStorage.getItem(nameOf(model)));
    return typeof draft?.text === "string" && typeof draft.digest === "string" ? draft : null;
  } catch {
    return null;
  }
}

export function keepDraft(model, draft) {
  try {
    sessionStorage.setItem(nameOf(model), JSON.stringify(draft));
  } catch { /* There is no room, or none is given: it is kept as long as the page. */ }
}

export function dropDraft(model) {
  try {
    sessionStorage.removeItem(nameOf(model));
  } catch { /* Then nothing was kept. */ }
}
