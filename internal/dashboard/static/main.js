// Begins: one Live for the life of the page, and the page that the address names.

import { html, render } from "./core/html.js";
import { Live, LiveContext, useLivePart } from "./core/live.js";
import { adoptOldAddress, useRoute } from "./core/router.js";
import { pageOf, pages } from "./pages/pages.js";
import { Speech } from "./parts/speech.js";
import { Guarded } from "./parts/panel.js";
import { DegradedBanner, Rail, Unlock, useArrival } from "./parts/shell.js";

function App() {
  const route = useRoute();
  const locked = useLivePart((l) => l.locked), settled = useLivePart((l) => l.settled);
  const { title, Page, inPlace } = pageOf(route);
  useArrival(title, inPlace ? route.page : `${route.page}/${route.id ?? ""}`);
  const skip = (e) => {
    e.preventDefault();
    document.getElementById("main").focus();
  };
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to content</a>
    <${Rail} ...${{ route, pages }} />
    <main id="main" tabindex="-1"><${DegradedBanner} />
      ${locked ? html`<${Unlock} />` : settled && html`<${Guarded} key=${route.page}><${Page} route=${route} /></${Guarded}>`}</main>
    <${Speech} />`;
}

adoptOldAddress();
const live = new Live();
render(html`<${LiveContext.Provider} value=${live}><${App} /></${LiveContext.Provider}>`, document.getElementById("app"));
live.start();
