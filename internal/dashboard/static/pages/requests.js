// Requests: an explorer. What is looked for, the columns, the place in the list
// and the request that is open are all in the address.

import { shorten } from "../charts/draw.js";
import { client } from "../core/client.js";
import { useData } from "../core/data.js";
import { saveCSV } from "../core/export.js";
import { clock, count, duration, isToday, money, moneyDigits, precise } from "../core/format.js";
import { html, useMemo, wordsOf } from "../core/html.js";
import { useLiveQuietly } from "../core/live.js";
import { change, go, to } from "../core/router.js";
import { Button, Copy, Menu, Segmented, chosen } from "../parts/controls.js";
import { Icon } from "../parts/icons.js";
import { PageHead } from "../parts/shell.js";
import { AsOf, Empty, Failure, Nothing, Still } from "../parts/states.js";
import { ClearFilters, Filters, SINCES, anyFilter, parameters } from "./requests-filters.js";
import { RequestDetail, statusOf } from "./request.js";

const PAGE = 50, TAIL = 2000;

/** Columns by their name in the address: head, width (in pixels, at least), cell(r, context), and whether they are shown unless chosen otherwise. */
const COLUMNS = {
  time: { head: "Time", width: 100, cell: (r) => time(r), shown: true },
  strategy: { head: "Strategy", width: 116, cell: (r) => html`${r.holdout ? "hold-out" : r.strategy}${r.experiments.map((x) => html` <small>${x.arm}</small>`)}`, shown: true, wide: true },
  answered: { head: "Answered by", width: 121, cell: (r, { ramp }) => html`<span class="key k${r.cache === "miss" ? ramp.step(r.model) : 0}" />${r.cache === "miss" ? html`<span title=${r.model}>${shorten(r.model ?? "none", 24)}</span>` : `cache · ${r.cache}`}`, shown: true },
  in: { head: ">Tokens in", width: 70, cell: (r) => count(r.tokens_in), shown: true, wide: true },
  out: { head: ">out", width: 48, cell: (r) => count(r.tokens_out), shown: true, wide: true },
  latency: { head: ">Latency", width: 64, cell: (r) => duration(r.latency_ms), shown: true },
  first: { head: ">First token", width: 84, cell: (r) => duration(r.ttft_ms) },
  overhead: { head: ">Overhead", width: 78, cell: (r) => duration(r.overhead_ms) },
  cost: { head: ">Cost", width: 78, cell: (r, { digits }) => (r.unpriced ? html`<span class="t">unpriced</span>` : r.cost_usd === 0 ? html`<span class="t">0</span>` : money(r.cost_usd, digits)), shown: true },
  saving: { head: ">Saving", width: 78, cell: (r, { digits }) => money(r.savings_usd, digits) },
  status: { head: "Status", width: 62, cell: (r) => statusOf(r), shown: true, wide: true },
  user: { head: "User", width: 100, cell: (r) => r.user_id },
  session: { head: "Session", width: 100, cell: (r) => r.session_id },
  provider: { head: "Provider", width: 90, cell: (r) => r.provider },
  planned: { head: "Planned", width: 110, cell: (r) => r.planned_model },
  confidence: { head: "Confidence", width: 84, cell: (r) => r.confidence },
  finish: { head: "Finish", width: 84, cell: (r) => r.finish_reason },
  id: { head: "Request id", width: 290, cell: (r) => html`<span class="mono">${r.request_id}</span>` },
};

function time(r) {
  const [whole, rest] = precise(Date.parse(r.at));
  return html`<a class="plain" href=${to(`/requests/${r.request_id}`)}>${whole}<span class="t">${rest}</span></a>`;
}

export function RequestsPage({ route }) {
  const { query, id } = route, tail = query.has("live") && !query.has("cursor");
  const asked = useMemo(() => parameters(query, Math.floor(Date.now() / 60_000) * 60_000), [query.toString()]);
  const page = useData(`requests?${new URLSearchParams([...asked, ["limit", PAGE]])}`, { every: tail ? TAIL : 0 });
  const since = chosen("since", SINCES);
  const sub = html`<span class="sub">newest first</span><${AsOf} of=${page} />`;
  const head = html`<${PageHead} title="Requests" sub=${sub}>
    <${Button} kind="quiet" icon=${tail ? "pause" : "play"} aria-pressed=${String(tail)} onClick=${() => go(change({ live: tail ? null : "1", cursor: null, from: null }))}>Live tail</${Button}>
    <${Columns} names=${columnNames(query)} /><${Button} icon="save" disabled=${!page.data} onClick=${() => keep(page.data.requests)}>CSV</${Button}>
    <${Segmented} name="since" label="Time" options=${SINCES} value=${since} /></${PageHead}>`;
  return html`${head}<${Filters} query=${query} /><div class=${id ? "split" : ""}><div class=${page.waiting && page.data ? "waiting" : ""}><${List} ...${{ page, query, asked, id }} /></div>
    ${id && html`<${RequestDetail} key=${id} id=${id} />`}</div>`;
}

const columnNames = (query) => query.get("cols")?.split(",").filter((name) => COLUMNS[name]) ?? Object.keys(COLUMNS).filter((name) => COLUMNS[name].shown);

function Columns({ names }) {
  const turn = (name) => {
    const next = Object.keys(COLUMNS).filter((n) => (n === name ? !names.includes(n) : names.includes(n)));
    go(change({ cols: next.join(",") || "time" }), { replace: true });
  };
  return html`<${Menu} text="Columns" icon="table">${Object.entries(COLUMNS).map(([name, c]) => html`<label key=${name}><input type="checkbox" checked=${names.includes(name)} onChange=${() => turn(name)} />${c.head.replace(/^>/, "")}</label>`)}
    <a href=${change({ cols: null })}>As it was</a></${Menu}>`;
}

function List({ page, query, asked, id }) {
  const { ramp, snapshot } = useLiveQuietly();
  if (!page.data) return page.problem ? html`<${Failure} ...${{ problem: page.problem, retry: page.retry }} />` : html`<${Still} height=${600} />`;
  const { requests, next_cursor: next, searched_to: searched } = page.data;
  ramp.learnFrom(requests);
  const names = columnNames(query), dated = requests.some((r) => !isToday(Date.parse(r.at))), context = { ramp, digits: moneyDigits(requests.map((r) => r.cost_usd)) };
  if (!requests.length && (!next || snapshot?.totals?.total_requests === 0)) return anyFilter(query) ? html`<${Nothing} title="No request matches"><${ClearFilters} /></${Nothing}>` : html`<${NoneYet} />`;
  return html`${page.problem && html`<p class="note warn">It could not be read again: ${page.problem.message}</p>`}
    <div class="tw" tabindex="0" role="group" aria-label="Requests"><table class="reqs fixed"><caption class="vh">Requests, newest first</caption>
      <colgroup>${names.map((name) => html`<col key=${name} class=${COLUMNS[name].wide ? "hide-s" : ""} width=${COLUMNS[name].width + (dated && name === "time" ? 44 : 0)} />`)}</colgroup>
      <thead><tr>${names.map((name) => html`<th key=${name} scope="col" class=${look(name)}>${COLUMNS[name].head.replace(/^>/, "")}</th>`)}</tr></thead>
      <tbody>${requests.map((r) => html`<tr key=${r.request_id} class=${r.request_id === id ? "sel" : ""} aria-current=${r.request_id === id ? "true" : undefined} onClick=${(e) => open(e, r)}>
        ${names.map((name) => drawCell(name, COLUMNS[name].cell(r, context)))}</tr>`)}</tbody></table></div>
    <p class="note pgr"><span class="q">${count(requests.length)} on this page${next && searched && requests.length < PAGE ? `, looked back to ${clock(Date.parse(searched))}` : ""}</span>
      ${query.has("cursor") && html`<a href=${change({ cursor: null, from: null })}><${Icon} name="left" />Newest</a>`}
      ${next && html`<a href=${change({ cursor: next, from: asked.get("from"), live: null })}>Older<${Icon} name="right" /></a>`}
      <${Copy} kind="quiet" what="this search as curl" text=${() => `curl -s '${client.url(`requests?${asked}`)}'`}>as curl</${Copy}></p>`;
}

const drawCell = (name, cell) => html`<td key="${name} ${wordsOf(cell)}" class=${look(name)}>${cell}</td>`;

const look = (name) => `${COLUMNS[name].head.startsWith(">") ? "num" : ""} ${COLUMNS[name].wide ? "hide-s" : ""}`.trim();

/** A press anywhere on a row opens it; on a link, or while text is marked, it does what it does. */
function open(e, r) {
  if (!e.target.closest("a") && !String(getSelection())) go(to(`/requests/${r.request_id}`));
}

const NoneYet = () => html`<${Empty} title="No request is on record yet." steps=${[["Send a prompt", `curl -s ${client.url("complete")} -H 'Content-Type: application/json' \\\n  -d '{"prompt": "What is the capital of France?", "user_id": "ada"}'`], ["Or many", "busu demo"]]}>
  Requests are on record a moment after their answers.</${Empty}>`;

function keep(requests) {
  const names = Object.keys(requests[0] ?? {});
  saveCSV("requests", names, requests.map((r) => names.map((name) => (r[name] && typeof r[name] === "object" ? JSON.stringify(r[name]) : r[name]))));
}
