// Experiments: all of them, one of them, or the form that starts one.

import { useMay } from "../core/caller.js";
import { client } from "../core/client.js";
import { useData } from "../core/data.js";
import { NONE, age, count } from "../core/format.js";
import { html, useState } from "../core/html.js";
import { to } from "../core/router.js";
import { Button, Segmented, Tag, chosen } from "../parts/controls.js";
import { PageHead } from "../parts/shell.js";
import { Forbidden } from "../parts/signin.js";
import { AsOf, Empty, Failure, Nothing, Still } from "../parts/states.js";
import { Columns } from "../parts/table.js";
import { StartPage } from "./experiment-start.js";
import { standing } from "./experiment-words.js";
import { ExperimentPage } from "./experiment.js";

const LISTS = [["no", "Current"], ["yes", "Archived"]];
const SHOWN = 50;

export function ExperimentsPage({ route }) {
  const may = useMay("operate");
  if (route.id === "new") return may ? html`<${StartPage} />` : html`<${Forbidden} title="Start an experiment" needs="operate" />`;
  return route.id ? html`<${ExperimentPage} key=${route.id} id=${route.id} />` : html`<${List} />`;
}

function List() {
  const may = useMay("operate"), archived = chosen("archived", LISTS) === "yes", [shown, show] = useState(SHOWN);
  const list = useData(`experiments${archived ? "?archived=true" : ""}`, { every: 10_000 }), all = list.data?.experiments;
  const of = { ...list, data: list.data && { ...list.data, stale: list.data.degraded.length > 0 } };
  const head = html`<${PageHead} title="Experiments" sub=${html`<${AsOf} of=${of} />`}><${Segmented} name="archived" label="Which" options=${LISTS} value=${archived ? "yes" : "no"} />
    ${may && html`<${Button} kind="solid" icon="plus" href=${to("/experiments/new")}>Start</${Button}>`}</${PageHead}>`;
  if (!all) return html`${head}${list.problem ? html`<${Failure} ...${{ problem: list.problem, retry: list.retry }} />` : html`<${Still} height=${300} />`}`;
  const mine = all.filter((e) => archived === Boolean(e.archived_at));
  if (!mine.length) return html`${head}${archived ? html`<${Nothing} title="Nothing is archived." />` : html`<${NoneYet} />`}`;
  return html`${head}<div class="tw ${list.waiting ? "waiting" : ""}" tabindex="0" role="group" aria-label="Experiments"><table class="exps fixed"><caption class="vh">Experiments, newest first</caption><${Columns} widths=${[300, 130, 100, 100, 120, 220]} />
      <thead><tr>${["Experiment", "State", "Split", "Time", "Entered", "Matured"].map((name, i) => html`<th key=${i} scope="col" class=${i === 3 || i === 4 ? "num" : ""}>${name}</th>`)}</tr></thead>
      <tbody>${mine.slice(0, shown).map((e) => html`<${Row} key=${e.id} e=${e} />`)}</tbody></table></div>
    ${mine.length > shown && html`<p class="row l"><${Button} onClick=${() => show(mine.length)}>All ${count(mine.length)}</${Button}></p>`}`;
}

function Row({ e }) {
  const s = e.standing, [, mood, words] = standing(e), until = e.ended_at ? Date.parse(e.ended_at) : Date.now(), time = age(until - Date.parse(e.started_at));
  return html`<tr><th scope="row"><a href=${to(`/experiments/${e.id}`)}>${e.name}</a><p class="q">${s?.verdict ?? "Where it stands is not known yet."}</p></th>
    <td><${Tag} mood=${mood}>${words}</${Tag}></td>
    <td class="nb">${s && html`<span class=${s.split_ok ? "good" : "bad"}>${s.split_ok ? "as planned" : "broken"}</span>`}</td>
    <td key="time ${time}" class="num">${time}</td>
    <td key="entered ${s?.users}" class="num">${s ? html`${count(s.users)} <small>${e.unit}s</small>` : NONE}</td>
    <td class="nb">${s && html`<${Matured} ...${s} />`}</td></tr>`;
}

function Matured({ matured, target }) {
  const width = 96;
  return html`<svg class="far" width=${width} height="8" aria-hidden="true"><rect class="fr" width=${width} height="8" /><rect class="fi" width=${(width * matured) / Math.max(target, matured)} height="8" /></svg>
    <small> ${`${count(matured)} of ${count(target)}`}</small>`;
}

const NoneYet = () => html`<${Empty} title="No experiment has been started yet." steps=${[["Start one", "busu experiments start --control complexity --test hybrid --sample-size 2000"], ["Send its requests", `curl -s ${client.url("complete")} \\\n  -d '{"prompt": "…", "user_id": "ada", "experiment_id": "…"}'`]]}>
  Users are split between two arms or more, and looking every morning does not make up a winner. <a href=${to("/experiments/new")}>The form</a> says what a sample can find.</${Empty}>`;
