// Draws the page that the address names: its module, with the names in the address.
import { html, render, useErrorBoundary } from "./lib/ui.js";
import { Account } from "./lib/account.js";
import { ServiceBanner } from "./lib/service.js";

function Boundary({ page: Page, names }) {
  const [error] = useErrorBoundary((thrown) => console.error(thrown));
  if (error) {
    return html`<div class="failure" role="alert"><p><strong>This page has a mistake.</strong> ${String(error)}</p>
      <p>Load it again; if it stays, please report it with this sentence.</p></div>`;
  }
  return html`<${Page} ...${names} />`;
}

/** `need` gives what a module exports; it runs then, so that a page runs no other one. */
export default function draw(need) {
  const place = document.getElementById("app");
  const page = need(`pages/${place.dataset.page}.js`).default;
  render(html`<${ServiceBanner} /><${Boundary} page=${page} names=${JSON.parse(place.dataset.names)} />`, place);
  render(html`<${Account} />`, document.getElementById("account"));
}
