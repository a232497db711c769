// All pages there are. A new one is a module of this folder and a line here.

import { html, useEffect, useState } from "../core/html.js";
import { PageHead } from "../parts/shell.js";
import { Failure, Nothing } from "../parts/states.js";
import { LivePage } from "./live.js";
import { RequestsPage } from "./requests.js";
import { SavingsPage } from "./savings.js";

/** A page whose module comes when it is opened: load gives it, name is the page's in it. */
function later(title, name, load) {
  return function Later(props) {
    const [{ Page, problem }, set] = useState({}), ask = () => load().then((m) => set({ Page: m[name] }), (err) => set({ problem: { status: 1, message: err.message } }));
    useEffect(() => { ask(); }, []);
    useEffect(() => { if (Page && document.activeElement === document.body) document.querySelector("h1")?.focus({ preventScroll: true }); }, [Page]);
    if (Page) return html`<${Page} ...${props} />`;
    return html`<${PageHead} title=${title} />${problem && html`<${Failure} problem=${problem} retry=${ask} />`}`;
  };
}

/**
 * page is the first part of the address: #/savings. needs is what the caller has
 * to be allowed, as GET whoami calls it. group tells where the
 * navigation has a line between. A page gets {route}; what follows its name in
 * the address, as in #/requests/{id}, is route.id; inPlace says that it opens
 * within the page, so that arriving there moves neither the view nor the focus.
 */
export const pages = [
  { page: "", title: "Live", needs: "read", Page: LivePage, group: 1 },
  { page: "savings", title: "Savings", needs: "read", Page: SavingsPage, group: 1 },
  { page: "experiments", title: "Experiments", needs: "read", Page: later("Experiments", "ExperimentsPage", () => import("./experiments.js")), group: 1 },
  { page: "requests", title: "Requests", needs: "read", Page: RequestsPage, group: 1, inPlace: true },
  { page: "models", title: "Models", needs: "read", Page: later("Models", "ModelsPage", () => import("./models.js")), group: 2 },
  { page: "system", title: "System", needs: "oversee", Page: later("System", "SystemPage", () => import("./system.js")), group: 2 },
  { page: "keys", title: "Keys", needs: "administer", Page: later("Keys", "KeysPage", () => import("./keys.js")), group: 2 },
  { page: "playground", title: "Playground", needs: "complete", Page: later("Playground", "PlaygroundPage", () => import("./playground.js")), group: 2 },
];

export const pageOf = (route) => pages.find((p) => p.page === route.page) ?? { title: "Not found", Page: Missing };

const Missing = () => html`<${PageHead} title="Not found" /><${Nothing} title="There is no page at this address."><a href="#/">Go to Live</a></${Nothing}>`;
