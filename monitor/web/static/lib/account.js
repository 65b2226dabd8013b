// Who looks, and what they may: what they may not is not offered.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { root } from "./address.js";
import { ask } from "./api.js";

let asked = null;

/** Who asks, as `/v1/whoami` says it; asked once. */
export function whoami() {
  asked ??= ask("/v1/whoami");
  return asked;
}

/** Who looks, null until it is known. */
export function useAccount() {
  const [account, setAccount] = useState(null);
  useEffect(() => { whoami().then(setAccount, () => {}); }, []);
  return account;
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
