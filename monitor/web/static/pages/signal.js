import { html } from "../lib/ui.js";

export default function Page({ model }) {
  return html`<h1>${model}</h1>`;
}
