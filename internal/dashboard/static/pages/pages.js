// All pages there are. A new one is a module of this folder and a line here.

import { html } from "../core/html.js";
import { PageHead } from "../parts/shell.js";
import { Nothing } from "../parts/states.js";
import { KeysPage } from "./keys.js";
import { LivePage } from "./live.js";
import { ModelsPage } from "./models.js";
import { PlaygroundPage } from "./playground.js";
import { RequestsPage } from "./requests.js";
import { SavingsPage } from "./savings.js";
import { SystemPage } from "./system.js";

/**
 * page is the first part of the address: #/savings. group tells where the
 * navigation has a line between. A page gets {route}; what follows its name in
 * the address, as in #/requests/{id}, is route.id; inPlace says that it opens
 * within the page, so that arriving there moves neither the view nor the focus.
 */
export const pages = [
  { page: "", title: "Live", Page: LivePage, group: 1 },
  { page: "savings", title: "Savings", Page: SavingsPage, group: 1 },
  { page: "requests", title: "Requests", Page: RequestsPage, group: 1, inPlace: true },
  { page: "models", title: "Models", Page: ModelsPage, group: 2 },
  { page: "system", title: "System", Page: SystemPage, group: 2 },
  { page: "keys", title: "Keys", Page: KeysPage, group: 2 },
  { page: "playground", title: "Playground", Page: PlaygroundPage, group: 2 },
];

export const pageOf = (route) => pages.find((p) => p.page === route.page) ?? { title: "Not found", Page: Missing };

const Missing = () => html`<${PageHead} title="Not found" /><${Nothing} title="There is no page at this address."><a href="#/">Go to Live</a></${Nothing}>`;
