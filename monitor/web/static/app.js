// Draws the page that the address names: its module, with the names in the address.
import { html, render, useErrorBoundary } from "./lib/ui.js";
import { Account } from "./lib/account.js";
import { ServiceBanner } from "./lib/service.js";

const place = document.getElementById("app");
const names = JSON.parse(place.dataset.names);

function Boundary({ page: Page }) {
  const [error] = useErrorBoundary((thrown) => console.error(thrown));
  if (error) {
    return html`<div class="failure" role="alert"><p><strong>This page has a mistake.</strong> ${String(error)}</p>
      <p>Load it again; if it stays, please report it with this sentence.</p></div>`;
  }
  return html`<${Page} ...${names} />`;
}

const module = await import(`./pages/${place.dataset.page}.js`);
render(html`<${ServiceBanner} /><${Boundary} page=${module.default} />`, place);
render(html`<${Account} />`, document.getElementById("account"));
