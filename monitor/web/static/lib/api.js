// Asks the API, as any client: GET is tried again while the service is away, errors say what a person can do.
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "../vendor/htm-preact.js";
import { root, search } from "./address.js";
import { away, noteTime, useService } from "./service.js";

/** Why there is no answer, as a problem document says it. */
export class Problem extends Error {
  constructor(document, status) {
    super(document.detail || document.title);
    this.title = document.title ?? `The service answers ${status}`;
    this.detail = document.detail ?? "";
    this.errors = document.errors ?? [];
    this.kind = (document.type ?? "").split("#").at(-1);
    this.status = status;
    this.document = document;
  }
}

/** Get a document of the API. */
export async function ask(path, parameters = {}, { signal } = {}) {
  for (;;) {
    const answer = await sent(path, parameters, { method: "GET", signal });
    if (answer !== null) return answer;
    await away();
    signal?.throwIfAborted();
  }
}

/** Change something; it is sent once, and nobody tries again but the person. */
export function tell(method, path, body, parameters = {}) {
  return sentOnce(path, parameters, { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
}

/** Put a document of YAML; `replaces` is the digest of the only one that it may replace. */
export function putYaml(path, body, parameters, { replaces = null, signal } = {}) {
  const headers = { "Content-Type": "application/yaml", ...(replaces !== null && { "If-Match": `"${replaces}"` }) };
  return sentOnce(path, parameters, { method: "PUT", body, headers, signal });
}

async function sentOnce(path, parameters, how) {
  const answer = await sent(path, parameters, how);
  if (answer === null) {
    away();
    throw new Problem({ title: "The service did not answer", detail: "It is not certain that this was done: look, and try again." }, 0);
  }
  return answer;
}

/** The address of a document of the API, for a download. */
export function apiAddress(path, parameters = {}) {
  const query = search(parameters);
  return `${root}${path}${query && `?${query}`}`;
}

/** The answer, or null if nobody answers. */
async function sent(path, parameters, { headers, ...how }) {
  let answer;
  try {
    answer = await fetch(apiAddress(path, parameters), { ...how, headers: { Accept: "application/json", ...headers }, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
  if (answer.status === 502 || answer.status === 504) return null; // what a proxy says of a service that is away
  noteTime(answer);
  if (answer.ok) return contentOf(answer);
  if (answer.status === 401 && "logsIn" in document.documentElement.dataset) {
    const to = location.pathname.slice(root.length) + location.search;
    location.assign(`${root}/login?${search({ to })}`);
  }
  throw new Problem(await answer.json().catch(() => ({})), answer.status);
}

/** The document in an answer, or null if it breaks off. */
async function contentOf(answer) {
  let text;
  try {
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
  try {
    return text ? JSON.parse(text) : {};
  } catch {
    throw new Problem({ title: "This is no answer of the service", detail: "What is between it and this browser sends something else: load the page again." }, answer.status);
  }
}

let unanswered = 0;

/** Count in the document, as `data-unanswered`, a question that has no answer yet: with none, the page shows all that it will. */
export function useUnanswered(isUnanswered) {
  useLayoutEffect(() => {
    if (!isUnanswered) return undefined;
    const count = (more) => { unanswered += more; document.documentElement.dataset.unanswered = unanswered; };
    count(1);
    return () => count(-1);
  }, [isUnanswered]);
}

/**
 * What the API says, kept up to date: `{data, error, isLoading, reload}`. Former data stays until there are new ones.
 * `path` null asks nothing. It is asked again every `everyMs` while the page is seen, and when the service is back.
 */
export function useAsk(path, parameters = {}, { everyMs = 0 } = {}) {
  const [state, setState] = useState({ data: null, error: null, isLoading: path !== null, of: null });
  const [turn, setTurn] = useState(0);
  const { returns } = useService();
  const key = path === null ? null : apiAddress(path, parameters);
  const latest = useRef(null);
  // Before the frame is painted, and not after it: the question is on its way a frame earlier.
  useLayoutEffect(() => {
    if (key === null) return undefined;
    const control = new AbortController();
    latest.current = key;
    setState((former) => ({ ...former, isLoading: true }));
    ask(path, parameters, { signal: control.signal }).then(
      (data) => setState({ data, error: null, isLoading: false, of: key }),
      (error) => { if (!control.signal.aborted) setState((former) => ({ ...former, error, isLoading: false, of: key })); },
    );
    return () => control.abort();
  }, [key, turn, returns]);
  useUnanswered(key !== null && state.of !== key);
  const reload = useCallback(() => setTurn((former) => former + 1), []);
  useEffect(() => {
    if (!everyMs) return undefined;
    const timer = setInterval(() => { if (!document.hidden) reload(); }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs, reload]);
  return { ...state, reload };
}

/** Every item of a list, page by page, up to a number of them. */
export async function askAll(path, parameters, { signal, most = 20_000 } = {}) {
  const items = [];
  let cursor = null;
  do {
    const page = await ask(path, { ...parameters, cursor }, { signal });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < most);
  return items;
}
