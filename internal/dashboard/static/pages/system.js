// System: how busu itself fares, what could not be processed, whether anything
// is missing, and what strategies go by. Who may see it may also act.

import { client } from "../core/client.js";
import { useData } from "../core/data.js";
import { NONE, age, bytes, clock, count, duration, inPercent, money, number, plural, shortDate, when } from "../core/format.js";
import { html, useState } from "../core/html.js";
import { change, here } from "../core/router.js";
import { Confirm } from "../parts/confirm.js";
import { Button, Copy, Dot, Segmented, Tag, chosen } from "../parts/controls.js";
import { KeyValues } from "../parts/figures.js";
import { Icon } from "../parts/icons.js";
import { Panel } from "../parts/panel.js";
import { PageHead } from "../parts/shell.js";
import { AsOf, Failure, Nothing, Still } from "../parts/states.js";
import { Table } from "../parts/table.js";

const since = (at) => clock(Date.parse(at));
const UNKNOWN = "PostgreSQL does not answer, which knows it.";
const STRATEGIES = [["hybrid", "hybrid"], ["learning", "learning"]];
const WINDOWS = [["1h", "1 h"], ["24h", "24 h"], ["7d", "7 d"]];

export function SystemPage() {
  const of = useData("system", { every: 3000 }), s = of.data;
  const head = html`<${PageHead} title="System" sub=${html`<${AsOf} of=${of} />`} />`;
  if (!s) return html`${head}${of.problem ? html`<${Failure} ...${{ problem: of.problem, retry: of.retry }} />` : html`<${Still} height=${500} />`}`;
  const alone = s.degraded.includes("redis") ? "Without Redis, only the process that answers is known." : undefined;
  return html`${head}<div class="grid">
    <div class="c12"><${Panel} title="Processes" unit=${plural(s.processes.length, "process", "processes")} note=${alone} of=${of} name="processes" table=${() => processTable(s)}>
      ${() => html`<${Table} ...${processTable(s)} cls="nowrap" caption="Processes" />`}</${Panel}></div>
    <div class="c8"><${Panel} title="From answers to rows" unit="by stream and partition" of=${of} name="streams" table=${s.redis && (() => streamTable(s))}>
      ${() => (s.redis ? html`<${Table} ...${streamTable(s)} cls="nowrap" caption="Streams" nothing="No stream has been written to yet." />`
        : html`<${Nothing} title="Redis does not answer.">Facts wait in the journals.</${Nothing}>`)}</${Panel}></div>
    <div class="c4"><${Panel} title="Stores" of=${of}>${() => html`<${KeyValues} rows=${storeRows(s)} />`}</${Panel}></div>
    <div class="c12"><${DeadLetters} count=${s.redis?.dead_letters.count} /></div>
    <div class="c12"><${Reconcile} /></div>
    <div class="c8"><${Snapshots} live=${s.snapshots} /></div>
    <div class="c4 stack"><${Panel} title="Leases" unit="what one process does for all" of=${of}>${() => html`<${Table} ...${leaseTable(s)} caption="Leases" nothing="Nobody has one." />
        ${s.degraded.length > 0 && html`<p class="note">Those that ${s.degraded.map((store) => ({ redis: "Redis", postgres: "PostgreSQL" })[store] ?? store).join(" and ")} would know are missing.</p>`}`}</${Panel}>
      <${Panel} title="Quality guards" of=${of}>${() => html`<${Table} ...${guardTable(s)} caption="Guards" nothing=${s.postgres ? "All are armed; none has ever tripped." : UNKNOWN} />`}</${Panel}></div></div>`;
}

function Check({ c }) {
  const how = !c.ok && `${c.name === "schema" ? "not up to date" : "away"} since ${since(c.since)}`;
  return html`<span class="check1 nb" title="since ${since(c.since)}"><${Dot} kind=${c.ok ? "" : "off"} /> <span class=${c.ok ? "" : "bad"}>${c.name} ${how}</span></span> `;
}

const UNTAGGED = /^v[\d.]+-(?:0\.)?(\d{4})(\d\d)(\d\d)\d{6}-(\w{7})\w*(\+dirty)?$/; // what Go calls a build that no tag names

function versionOf({ version }) {
  const [, year, month, day, commit, dirty] = UNTAGGED.exec(version) ?? [];
  return { mood: "wrap", value: version, show: commit ? html`<span title=${version}>${commit} <small>of ${shortDate(Date.UTC(year, month - 1, day))}${dirty && ", changed since"}</small></span>` : version };
}

const processTable = (s) => ({
  head: ["Process", "Version", ">Up for", ">Heard", "Needs", ">Journal", ">Under way", ">Not shipped", ">Oldest"], widths: [150, 130, 84, 76, 250, 140, 84, 92, 84],
  rows: s.processes.map((p) => ({ key: p.id, cells: [
    { show: html`${p.role} <small>on ${p.host}, ${p.pid}</small>`, value: `${p.role} ${p.host} ${p.pid}` }, versionOf(p),
    { show: html`<span title="since ${since(p.started_at)}">${age(p.uptime_ms)}</span>`, value: p.uptime_ms },
    { show: html`${age(p.heard_ms)} <small>ago</small>`, value: p.heard_ms },
    { mood: "wrap", show: p.checks.map((c) => html`<${Check} key=${c.name} c=${c} />`), value: p.checks.map((c) => `${c.name} ${c.ok ? "ok" : "away"} ${c.since}`).join(", ") },
    ...(p.journal ? journalCells(p.journal) : [NONE, NONE, NONE, NONE]),
  ] })),
});

function journalCells(j) {
  const corrupt = j.corrupt > 0 && html`<br /><span class="bad">${count(j.corrupt)} corrupt</span>`;
  return [{ show: html`${bytes(j.bytes)} <small>of ${bytes(j.max_bytes)}</small>${corrupt}`, value: j.bytes }, { show: count(j.open_intents), value: j.open_intents },
    { show: count(j.backlog), value: j.backlog, mood: j.failing ? "bad" : "" }, { show: age(j.oldest_ms ?? 0), value: j.oldest_ms, mood: j.oldest_ms > 60_000 ? "bad" : "" }];
}

function streamTable(s) {
  const waits = (ms) => ({ show: ms > 0 && ms < 1000 ? duration(Math.round(ms)) : age(ms), value: ms, mood: ms > 60_000 ? "bad" : ms > 10_000 ? "warn" : "" });
  return {
    head: ["Stream", ">Entries", ">Memory", ">Unread", ">Pending", ">Oldest not stored", ">Oldest not counted"], widths: [130, 80, 80, 76, 80, 130, 140],
    rows: s.redis.streams.map((r) => [{ show: html`${r.stream} <small>${r.partition}</small>`, value: r.key }, count(r.entries),
      { show: bytes(r.memory_bytes), value: r.memory_bytes }, count(r.unread), count(r.pending), waits(r.oldest_ms), waits(r.uncounted_ms)]),
  };
}

const ahead = (ms) => (Math.abs(ms) < 1 ? "clock agrees" : `clock ${duration(Math.abs(ms))} ${ms > 0 ? "ahead" : "behind"}`);

const REPLICA = { away: "does not answer", behind: "too far behind", primary: "is no replica", other_database: "of another database", other_schema: "of another schema" };

const replicaRow = ({ state, lag_ms: lag }) => ["Replica", state === "used" ? html`read <small>${lag == null ? "" : `${duration(lag)} behind`}</small>`
  : html`<span class="warn">${REPLICA[state] ?? state}</span> <small>the primary is read</small>`];

function storeRows({ redis: r, postgres: p, replica }) {
  const away = html`<span class="bad">does not answer</span>`, d = p?.days;
  return [
    ["Redis", r ? html`${duration(r.round_trip_ms)} <small>${ahead(r.clock_ms)}</small>` : away],
    r && ["Memory", html`${bytes(r.used_bytes)} <small>of ${bytes(r.budget_bytes)}, ${inPercent(r.fullness)}</small>`],
    ["PostgreSQL", p ? html`${duration(p.round_trip_ms)} <small>${ahead(p.clock_ms)}</small>` : away],
    replica && replicaRow(replica),
    p && ["Migrations", html`<span class=${p.schema.version < p.schema.known ? "bad" : ""}>${p.schema.version} of ${p.schema.known}</span>`],
    d && ["Partitions", d.ahead < 0 ? html`<span class="bad">today’s is missing</span>` : html`until ${d.until} <small>${plural(d.ahead, "day")} ahead, ${count(d.kept)} kept</small>`],
    d?.strayed && ["Strayed rows", html`<span class="bad">in the default partition</span>`],
  ];
}

const guardTable = (s) => ({ head: ["Project", "Guard", ">Since"], widths: [110, 90, 120],
  rows: s.guards.map((g) => [g.project, { show: g.state, mood: g.state === "tripped" ? "bad" : "" }, g.since ? since(g.since) : NONE]) });

const leaseTable = (s) => ({ head: ["Lease", "Process", ">Ends in"], widths: [120, 120, 80],
  rows: s.leases.map((l) => [l.name, l.process ?? { show: "gone", value: l.owner, mood: "warn" }, age(l.ends_ms)]) });

function DeadLetters({ count: all }) {
  const cursor = here().query.get("cursor"), page = useData(`dead?limit=20${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, { every: 10_000 });
  return html`<${Panel} title="Dead letters" unit="what could not be processed${all ? `: ${count(all)}` : ""}" of=${page} height=${90}>${() => {
    const { dead_letters: letters, next_cursor: next } = page.data;
    return html`${letters.length ? html`<ul class="letters">${letters.map((l) => html`<${Letter} key=${l.id} ...${{ l, done: page.retry }} />`)}</ul>`
        : html`<p class="note nm">There is none. What cannot be read or stored would wait here, and could be put back.</p>`}
      ${(cursor || next) && html`<p class="row l">${cursor && html`<${Button} href=${change({ cursor: null })}>Newest</${Button}>`}${next && html`<${Button} href=${change({ cursor: next })}>Older</${Button}>`}</p>`}`;
  }}</${Panel}>`;
}

function Letter({ l, done }) {
  const path = `dead/${encodeURIComponent(l.id)}`, replay = async () => void await client.post(`${path}/replay`), remove = async () => void await client.delete(path);
  return html`<li><div><b>${l.reason}</b><p class="t xs"><time>${since(l.at)}</time> · <span class="mono">${l.stream}</span>${
      l.entry ? html` · entry <span class="mono">${l.entry}</span>` : " · was stored before it was refused"}</p><${LetterBody} ...${{ l, path }} /></div>
    <span class="nb"><${Confirm} kind="" text="Replay" ...${{ done }} act=${replay} says="It goes back to the end of its stream, once. What still cannot be processed comes back as a new letter." />
      <${Confirm} text="Delete" ...${{ done }} act=${remove} says="It is gone for good, and so is what it tells: the reconciliation goes on naming it as missing." /></span></li>`;
}

const MOST_SHOWN = 20_000; // characters

/** The whole body comes when it is opened. */
function LetterBody({ l, path }) {
  const [open, show] = useState(false), whole = useData(open ? path : null).data, text = whole?.body ?? whole?.body_base64 ?? l.preview;
  return html`<details class="tab" onToggle=${(e) => show(e.currentTarget.open)}><summary><${Icon} name="right" />${bytes(l.bytes)}${whole?.body_base64 ? ", in base64" : ""}</summary>
    <pre class="cmd" tabindex="0">${text.slice(0, MOST_SHOWN)}${text.length > MOST_SHOWN && "…"}</pre><${Copy} text=${text} what="the letter" /></details>`;
}

function Reconcile() {
  const window = chosen("window", WINDOWS, "24h"), [asked, ask] = useState(false), answer = useData(asked ? `reconcile?window=${window}` : null);
  const run = html`<${Segmented} name="window" label="Window" options=${WINDOWS} value=${window} />
    <${Button} icon="retry" disabled=${answer.waiting} onClick=${() => (asked ? answer.retry() : ask(true))}>${asked ? "Again" : "Reconcile"}</${Button}>`;
  return html`<${Panel} title="Reconciliation" unit="announced against stored over all time, rows against live totals" acts=${run} of=${asked ? answer : undefined}>
    ${() => (asked ? html`<${Reconciled} r=${answer.data} />`
      : html`<p class="note nm">Facts are numbered without gaps, so a loss is a hole. The comparison reads all rows of the window; nothing is changed by it.</p>`)}</${Panel}>`;
}

function Reconciled({ r }) {
  const says = r.settled ? "Everything agrees: nothing is missing, nothing is counted twice."
    : r.degraded.length ? "It cannot be told whether everything agrees: Redis was not asked." : "There are differences. What is under way shows as one: ask again.";
  return html`<p class="say ${r.settled ? "good" : ""}">${says}</p><p class="note">${since(r.as_of)} · ${plural(r.open_intents, "request")} under way</p>
    <div class="grid"><div class="c6"><${Table} ...${laneTable(r)} caption="Journals" nothing="No journal has announced anything." /></div>
      <div class="c6"><${Table} ...${projectTable(r)} caption="Projects" nothing="No project has a request." /></div></div>
    ${[...r.lanes, ...r.projects].filter((x) => x.problem).map((x) => html`<p class="note bad">${x.lane ?? x.project}: ${x.problem}</p>`)}`;
}

const bad = (n) => ({ show: count(n), value: n, mood: n ? "bad" : "good" });

const laneTable = (r) => ({ head: ["Journal", ">Announced", ">Stored", ">Missing", ">Twice"], rows: r.lanes.map((l) => [
  { show: html`${l.lane} <small title=${l.journal}>${l.journal.slice(-6)}</small>${l.unheard && html` <span class="warn">unheard</span>`}`, value: l.journal },
  count(l.announced), count(l.stored), bad(l.missing), bad(l.repeated)]) });

function projectTable(r) {
  const sums = (x) => (x ? { show: html`${count(x.total_requests)} <small>${money(x.cost_usd)}</small>`, value: x.total_requests } : NONE);
  const difference = (p) => (p.live_seen ? bad(p.live.total_requests - p.stored.total_requests) : { show: "not seen", mood: "warn" });
  return { head: ["Project", ">Stored", ">Live", ">Difference", "Rows"], rows: r.projects.map((p) => [p.project, sums(p.stored), sums(p.live_seen && p.live), difference(p),
    { show: p.rows_agree ? "agree" : "differ", mood: p.rows_agree ? "good" : "bad" }]) };
}

function Snapshots({ live }) {
  const strategy = chosen("learner", STRATEGIES, live.find((s) => s.project === "default")?.strategy ?? "hybrid"), others = live.filter((s) => s.project !== "default");
  const list = useData(`snapshots?strategy=${strategy}&limit=8`, { every: 5000 });
  const note = others.length ? `Other projects: ${others.map((s) => `${s.project} ${s.strategy} ${s.snapshot}`).join(", ")}.` : undefined;
  return html`<${Panel} title="Learned snapshots" unit="of this project, newest first" of=${list} note=${note}
      acts=${html`<${Segmented} name="learner" label="Strategy" options=${STRATEGIES} value=${strategy} />`}>
    ${() => html`<${Table} head=${["Snapshot", "Published", ">Verdicts", ">Weight", ">Price of quality", ">"]} widths=${[150, 120, 80, 80, 110, 90]} cls="nowrap" caption="Snapshots"
      rows=${list.data.snapshots.map((s) => snapshotRow(s, strategy, list.retry))} nothing="${strategy} has published nothing yet: it learns from verdicts." />`}</${Panel}>`;
}

function snapshotRow(s, strategy, done) {
  const back = async () => void await client.post(`snapshots/${s.snapshot}/rollback?strategy=${strategy}`);
  const says = `Snapshot ${s.snapshot} of ${strategy} is published again under a new number. Every gateway goes by it within seconds, and verdicts that come are learned on top of it.`;
  const mark = s.live ? html`<${Tag} mood="good">live</${Tag}>` : "", again = s.rolled_back_to !== null && html` <small>is ${count(s.rolled_back_to)} again</small>`;
  return { key: s.snapshot, cls: s.live ? "me" : "", cells: [html`${count(s.snapshot)} ${mark}${again}`, since(s.at), count(s.verdicts), number(s.weight, 2), number(s.lambda, 1),
    !s.live && html`<${Confirm} text="Go back" ...${{ done, says }} act=${back} />`] };
}
