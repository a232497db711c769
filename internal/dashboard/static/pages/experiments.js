// Experiments: all of them, one of them, or the form that starts one.

import { client } from "../core/client.js";
import { useData } from "../core/data.js";
import { NONE, age, count } from "../core/format.js";
import { html, useState } from "../core/html.js";
import { to } from "../core/router.js";
import { Button, Segmented, Tag, chosen } from "../parts/controls.js";
import { PageHead } from "../parts/shell.js";
import { AsOf, Empty, Failure, Nothing, Still } from "../parts/states.js";
import { standing } from "./experiment-words.js";
import { ExperimentPage } from "./experiment.js";

const LISTS = [["no", "Current"], ["yes", "Archived"]];
const SHOWN = 20; // each asks for its own figures
const COMMAND = "busu experiments start --control complexity --test hybrid --sample-size 2000";

export function ExperimentsPage({ route }) {
  return route.id ? html`<${ExperimentPage} key=${route.id} id=${route.id} />` : html`<${List} />`;
}

function List() {
  const archived = chosen("archived", LISTS) === "yes", [shown, show] = useState(SHOWN);
  const list = useData(`experiments${archived ? "?archived=true" : ""}`, { every: 10_000 }), all = list.data?.experiments;
  const head = html`<${PageHead} title="Experiments" sub=${html`<${AsOf} of=${list} />`}><${Segmented} name="archived" label="Which" options=${LISTS} value=${archived ? "yes" : "no"} /></${PageHead}>`;
  if (!all) return html`${head}${list.problem ? html`<${Failure} ...${{ problem: list.problem, retry: list.retry }} />` : html`<${Still} height=${300} />`}`;
  const mine = all.filter((e) => archived === Boolean(e.archived_at));
  if (!mine.length) return html`${head}${archived ? html`<${Nothing} title="Nothing is archived." />` : html`<${NoneYet} />`}`;
  return html`${head}<div class="tw ${list.waiting ? "waiting" : ""}" tabindex="0" role="region" aria-label="Experiments"><table class="exps"><caption class="vh">Experiments, newest first</caption>
      <thead><tr><th scope="col">Experiment</th><th scope="col">State</th><th scope="col">Split</th><th scope="col" class="num">Time</th><th scope="col" class="num">Entered</th><th scope="col">Matured</th></tr></thead>
      <tbody>${mine.slice(0, shown).map((e) => html`<${Row} key=${e.id} e=${e} />`)}</tbody></table></div>
    ${mine.length > shown && html`<p class="row l"><${Button} onClick=${() => show(mine.length)}>All ${count(mine.length)}</${Button}></p>`}`;
}

/** Figures come row by row; those of one that has ended come once. */
function Row({ e }) {
  const results = useData(`experiments/${e.id}/results`, { every: e.state === "running" ? 10_000 : 0 }), r = results.data;
  const [, mood, words] = standing(e), blocked = e.outcome?.startsWith("invalid");
  return html`<tr><th scope="row"><a href=${to(`/experiments/${e.id}`)}>${e.name}</a><p class="q">${r?.verdict ?? results.problem?.message ?? "\u00a0"}</p></th>
    <td><${Tag} mood=${mood}>${words}</${Tag}></td><td class="nb">${r && (r.srm.ok && !blocked ? html`<span class="good">as planned</span>` : html`<span class="bad">${blocked ? "withheld" : "broken"}</span>`)}</td>
    <td class="num">${age((e.ended_at ? Date.parse(e.ended_at) : Date.now()) - Date.parse(e.started_at))}</td><td class="num">${r ? html`${count(r.sample.users)} <small>${r.unit}s</small>` : NONE}</td>
    <td class="nb">${r && html`<progress max=${r.sample.target} value=${r.sample.matured} aria-hidden="true" /> <small>${count(r.sample.matured)} of ${count(r.sample.target)}</small>`}</td></tr>`;
}

const NoneYet = () => html`<${Empty} title="No experiment has been started yet." steps=${[["Start one", COMMAND], ["Send its requests", `curl -s ${client.url("complete")} \\\n  -d '{"prompt": "…", "user_id": "ada", "experiment_id": "…"}'`]]}>
  Users are split between two arms or more, and looking every morning does not make up a winner.</${Empty}>`;
