// Who looks, and what they may: what they may not is not offered.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { root } from "./address.js";
import { ask, useUnanswered } from "./api.js";

let asked = null;

const AGAIN_MS = 5_000;

/** Who asks, as `/v1/whoami` says it; asked once. */
export function whoami() {
  asked ??= answered();
  return asked;
}

async function answered() {
  for (;;) {
    try {
      return await ask("/v1/whoami");
    } catch (problem) {
      // Of a service that has too much to do, nothing would be offered until the page is loaded again.
      if (problem.status !== 429 && !(problem.status >= 500)) throw problem;
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
  }
}

/** Who looks, null until it is known, and where nobody says it. */
export function useAccount() {
  const [account, setAccount] = useState();
  useUnanswered(account === undefined);
  useEffect(() => { whoami().then(setAccount, () => setAccount(null)); }, []);
  return account ?? null;
}

/** Whether the person may send an operation such as `POST /v1/marks`; false until it is known. */
export function useMay(operation) {
  const account = useAccount();
  return account !== null && account.may.includes(operation);
}

export function Account() {
  const account = useAccount();
  if (!account?.name) return null;
  const out = "logsIn" in document.documentElement.dataset;
  return html`<span>${account.name} (${account.role})</span>
    ${out && html`<a href="${root}/logout">Log out</a>`}`;
}
