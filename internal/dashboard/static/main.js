// Begins: one Live for the life of the page, and the page that the address names.

import { caller, useCaller } from "./core/caller.js";
import { html, render } from "./core/html.js";
import { Live, LiveContext, useLivePart } from "./core/live.js";
import { adoptOldAddress, useRoute } from "./core/router.js";
import { pageOf, pages } from "./pages/pages.js";
import { Speech } from "./parts/speech.js";
import { Guarded } from "./parts/panel.js";
import { Failure } from "./parts/states.js";
import { DegradedBanner, PageHead, Rail, useArrival } from "./parts/shell.js";
import { Forbidden, SignIn, SignInAgain, Who, adoptPlace } from "./parts/signin.js";

function App() {
  const route = useRoute();
  const settled = useLivePart((l) => l.settled), refusal = useLivePart((l) => l.mode === "locked" && l.feed.state.problem), wanted = useCaller((c) => c.wanted), known = useCaller((c) => c.who !== null);
  const { title, Page, inPlace, needs } = pageOf(route), may = useCaller((c) => pages.filter((p) => c.may(p.needs)).map((p) => p.page).join("/"));
  const open = pages.filter((p) => may.split("/").includes(p.page)), signIn = wanted && !known, closed = needs && !may.split("/").includes(route.page);
  useArrival(signIn ? "Sign in" : title, inPlace ? route.page : `${route.page}/${route.id ?? ""}`);
  const skip = (e) => {
    e.preventDefault();
    document.getElementById("main").focus();
  };
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to content</a>
    <${Rail} ...${{ route, pages: signIn ? [] : open, who: html`<${Who} />` }} />
    <main id="main" tabindex="-1"><${DegradedBanner} />
      ${signIn ? html`<${SignIn} />` : closed ? html`<${Forbidden} ...${{ title, needs }} />` : refusal && !known ? refusal.status !== 401 && html`<${PageHead} title=${title} /><${Failure} problem=${refusal} />` : settled && html`<${Guarded} key=${route.page}><${Page} route=${route} /></${Guarded}>`}</main>
    ${wanted && known && html`<${SignInAgain} />`}
    <${Speech} />`;
}

adoptOldAddress();
adoptPlace();
const live = new Live();
render(html`<${LiveContext.Provider} value=${live}><${App} /></${LiveContext.Provider}>`, document.getElementById("app"));
caller.start();
live.start();
