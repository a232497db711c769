// Live: what happens now, and in the last minutes, hours or days.

import { PercentileLines, StackedRates, keyTable, percentileTable, rateTable, useCursor } from "../charts/time.js";
import { ProvenBar, savingTable } from "../charts/proof.js";
import { useMay } from "../core/caller.js";
import { client } from "../core/client.js";
import { useData } from "../core/data.js";
import { inWords, useDecisions } from "../core/decisions.js";
import { NONE, age, count, dollars, duration, inScale, money, moneyDigits, percent, percentage, rate, share, timeScale } from "../core/format.js";
import { html, useEffect, useMemo, wordsOf } from "../core/html.js";
import { useLive } from "../core/live.js";
import { to } from "../core/router.js";
import { fromHistory } from "../core/series.js";
import { Breakers, breakerTable } from "../parts/breakers.js";
import { Button, Segmented, chosen } from "../parts/controls.js";
import { EventLine, KeyFigure, KeyFigures, StationLine } from "../parts/figures.js";
import { Acts, Panel, isTable } from "../parts/panel.js";
import { PageHead } from "../parts/shell.js";
import { mention } from "../parts/speech.js";
import { Empty, FeedStatus } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { RoutingFlow } from "./live-flow.js";

const WINDOWS = [["5m", "5 m"], ["1h", "1 h"], ["24h", "24 h"], ["7d", "7 d"]];
const PHRASES = { "5m": "last 5 minutes", "1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days" };
const SPANS = { "5m": 300_000, "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000 };
const LATE = 5000; // a fact that waits longer for its row is late

export function LivePage() {
  const live = useLive(), { snapshot } = live, oversees = useMay("oversee");
  const window = chosen("window", WINDOWS);
  const report = useData(`routing/metrics?window=${window}`, { every: 3000 });
  const axis = useAxis(live, window);
  if (report.data) live.ramp.learn(report.data.window, report.data.by_model);
  useEffect(() => { if (snapshot && report.data) mention(spoken(snapshot, report.data)); });
  const head = html`<${PageHead} title="Live" sub=${html`${axis.series && html`<span><${Acts} title="Key figures" name="figures" table=${() => keyTable(axis.series)} /></span>`}<${FeedStatus} />`}>
    <${Button} kind="quiet pause" icon=${live.paused ? "play" : "pause"} aria-pressed=${String(live.paused)} onClick=${() => live.togglePause()}>${live.paused ? "Go on" : "Pause"}</${Button}>
    <${Segmented} name="window" label="Window of the figures" options=${WINDOWS} value=${window} /></${PageHead}>`;
  if (snapshot?.totals?.total_requests === 0) return html`${head}<${NothingYet} />`;
  return html`${head}<${Figures} ...${{ snapshot, report: report.data, axis, phrase: PHRASES[window], waiting: report.waiting && report.data }} />
    <div class="grid gap"><div class="c8 stack"><${Course} ...${{ live, axis }} /></div>
      <div class="c4 stack"><${Saving} /><${ProviderPanel} ...${{ live, report }} /><${Happened} live=${live} /></div>
      <div class="c12"><${RoutingFlow} ...${{ live, report, phrase: PHRASES[window] }} /></div>
      ${oversees && html`<div class="c12"><${Pipeline} live=${live} /></div>`}</div>`;
}

/** The time axis of the charts: the last minutes as they were heard, longer ones as they are stored. */
function useAxis(live, window) {
  const cursor = useCursor(), short = window === "5m";
  const history = useData(short ? "metrics/history?window=10m&step=1m&by=model&top=5" : `metrics/history?window=${window}&by=model&top=5`, { every: short ? 0 : 15_000 });
  const stored = useMemo(() => history.data && fromHistory(history.data), [history.data]);
  useEffect(() => { if (short && stored) live.recent.seed(stored.points); }, [short, stored, live.snapshot !== null]);
  const series = short ? live.recent : stored;
  if (!series?.last) return { of: short ? null : history, series: null };
  const end = short && live.stale ? series.last.t + live.old : short ? series.last.t : Date.parse(history.data.as_of);
  const from = short ? end - SPANS[window] : Math.max(Date.parse(history.data.from), firstBusy(series, end - SPANS[window]));
  return { of: short ? null : history, series, from, end, cursor, stale: live.stale, markers: breakerMarkers(live.snapshot) };
}

/** A window that is mostly before the first request begins shortly before that. */
function firstBusy(series, from) {
  const first = series.points.find((p) => p.rate > 0);
  return first ? Math.max(from, first.t - 3 * first.span) : from;
}

const breakerMarkers = (snapshot) => (snapshot?.providers ?? []).filter((p) => p.breaker !== "closed")
  .map((p) => ({ t: Date.parse(snapshot.as_of) - p.breaker_for_ms, text: `${p.name} breaker opens` }));

function Figures({ snapshot, report, axis, phrase, waiting }) {
  if (axis.series && isTable("figures")) return html`<${Table} ...${keyTable(axis.series)} caption="Key figures" />`;
  const s = report, recent = (name) => axis.series?.points.map((p) => p[name]);
  const asked = s && s.cache.memory + s.cache.redis + s.cache.postgres + s.cache.miss;
  const of = (part) => percentage((100 * part) / asked);
  return html`<div class=${waiting ? "waiting" : ""}><${KeyFigures} label="Figures of the ${phrase}">
    <${KeyFigure} name="Requests" value=${snapshot && rate(snapshot.requests_per_second)} unit="/s" spark=${recent("rate") ?? []} sub=${s && [`${count(s.total_requests)} in the ${phrase}`]} />
    <${KeyFigure} name="Errors" value=${s && share(s.errors, s.total_requests)} unit=${s?.total_requests ? "%" : ""} spark=${recent("errors") ?? []} sub=${s && [`${count(s.errors)} · fell back `, percent(share(s.fallbacks.requests, s.total_requests))]} />
    ${time("Latency p95", s?.latency_ms, "p95", recent("p95"))}
    ${time("First token p95", s?.ttft_ms, "p95", recent("ttft"))}
    <${KeyFigure} name="Cost" value=${snapshot && dollars(snapshot.cost_usd_per_hour)} unit="/h" spark=${recent("cost") ?? []} sub=${s && ["", brief(s.cost_usd), ", baseline ", brief(s.baseline_cost_usd)]} />
    <${KeyFigure} name="Cache hits" value=${s && (asked ? of(asked - s.cache.miss) : NONE)} unit=${asked ? "%" : ""} spark=${recent("hits") ?? []} sub=${s && asked > 0 && ["memory ", of(s.cache.memory), " · Redis ", percent(of(s.cache.redis))]} />
    ${time("Overhead p99", s?.overhead_ms, "p99", recent("overhead"))}
  </${KeyFigures}></div>`;
}

const brief = (usd) => money(usd, moneyDigits([usd], 2));

/** A duration's key figure; q are its quantiles, shown is the one that counts. */
function time(name, q, shown, spark) {
  const scale = timeScale(q?.[shown]), rest = ["p50", "p95", "p99"].filter((p) => p !== shown);
  return html`<${KeyFigure} name=${name} value=${q ? inScale(q[shown], scale) : null} unit=${q?.[shown] === null ? "" : scale.unit} spark=${spark ?? []}
    sub=${q && [`${rest[0]} `, inScale(q[rest[0]], scale), ` · ${rest[1]} `, duration(q[rest[1]], scale)]} />`;
}

function Course({ live, axis }) {
  const of = axis.of ?? { data: axis.series, problem: null };
  const groups = live.ramp.groups(), nothing = html`<p class="note nm">No request in this time.</p>`;
  return html`<${Panel} title="Requests by model" unit="per second, stacked cheap to dear" of=${of} height=${280} name="requests-by-model" table=${axis.series && (() => rateTable(axis.series, groups))}>
      ${() => (axis.series ? html`<${StackedRates} ...${{ axis, groups }} />` : nothing)}</${Panel}>
    <${Panel} title="Latency" unit="log scale" of=${of} height=${226} name="latency" table=${axis.series && (() => percentileTable(axis.series))}>
      ${() => (axis.series ? html`<${PercentileLines} axis=${axis} />` : nothing)}</${Panel}>`;
}

/** The proof of the last 30 days, in short. */
function Saving() {
  const savings = useData("metrics/savings?window=30d", { every: 30_000 });
  return html`<${Panel} title=${savings.data?.proven.state === "proven" ? "Proven saving" : "Saving"} unit="last 30 days" of=${savings} height=${76} name="saving" table=${() => savingTable(savings.data)}>
    ${() => html`<${ProvenBar} savings=${savings.data} /><p key=${wordsOf(shortProof(savings.data))} class="note">${shortProof(savings.data)} <a href=${to("/savings")}>How we know</a></p>`}</${Panel}>`;
}

function shortProof({ proven, modelled }) {
  const { value, low } = proven.savings_pct;
  if (proven.state === "proven") return html`<b>${percent(percentage(value))}</b> of the baseline cost, at least ${percent(percentage(low))}.`;
  if (proven.state === "dearer") return html`<b class="bad">It costs more</b> than the baseline, shown.`;
  if (modelled.savings_pct === null) return "No cost is known yet.";
  return html`By the price list <b>${percent(percentage(modelled.savings_pct))}</b>; not proven yet.`;
}

function ProviderPanel({ live, report }) {
  const providers = live.snapshot?.providers, byProvider = report.data?.by_provider ?? {};
  return html`<${Panel} title="Providers" name="providers" of=${{ data: live.snapshot, problem: null }} table=${providers ? () => breakerTable(providers, byProvider) : undefined}>
    ${() => (providers ? html`<${Breakers} ...${{ providers, byProvider }} />` : html`<p class="note nm">Not known while Redis is away.</p>`)}</${Panel}>`;
}

function Happened({ live }) {
  const decisions = useDecisions(), away = live.snapshot?.source === "postgres" && !decisions.data?.length;
  const breakers = (live.snapshot?.providers ?? []).filter((p) => p.breaker !== "closed").map((p) => ({
    key: `breaker-${p.name}`, at: Date.parse(live.snapshot.as_of) - p.breaker_for_ms, text: html`${p.name} breaker <span class="bad">opened</span>`,
  }));
  const events = decisions.data && [...breakers, ...decisions.data].sort((a, b) => b.at - a.at).slice(0, 8).map((e) => ({ ...e, text: e.text ?? inWords(e.decision) }));
  return html`<${Panel} title="What happened" of=${decisions}>${() => (away ? html`<p class="note nm">Not known while Redis is away.</p>` : html`<${EventLine} events=${events} nothing="No experiment, no new model, no breaker: nothing was decided yet." />`)}</${Panel}>`;
}

function Pipeline({ live }) {
  const p = live.snapshot?.pipeline, providers = live.snapshot?.providers;
  const unit = live.snapshot && !p ? "not known while Redis is away" : "now";
  return html`<${Panel} title="Every event, from answer to ledger" unit=${unit} of=${{ data: live.snapshot, problem: null }} height=${110}>
    ${() => html`<${StationLine} stations=${stations(live.snapshot, p, providers ?? [])} />`}</${Panel}>`;
}

function stations(s, p, providers) {
  const sum = (name) => providers.reduce((n, q) => n + q[name], 0), flow = `${rate(s.requests_per_second)}\u202f/s`;
  const late = p?.oldest_ms > LATE, waits = (n) => (late && n ? "warn" : "");
  const oldest = !p || p.oldest_ms <= 0 ? NONE : p.oldest_ms < 1000 ? duration(Math.round(p.oldest_ms)) : age(p.oldest_ms);
  return [
    { name: "Gateway", rate: flow, rows: [["at providers", `${count(sum("in_flight"))} of ${count(sum("limit"))}`], ["waiting", count(sum("waiting"))], ["refused", count(sum("shed"))],
      ["in the journal", count(p?.journal_backlog), waits(p?.journal_backlog)]] },
    { name: "Redis Streams", state: waits(p?.unread) && "late", rows: [["kept", count(p?.stream_entries)], ["not yet read", count(p?.unread), waits(p?.unread)]] },
    { name: "Workers", state: waits(p?.pending) && "late", rows: [["not yet stored", count(p?.pending), waits(p?.pending)], ["oldest", oldest, late ? "warn" : ""]] },
    { name: "Ledger", state: p?.dead_letters ? "broken" : p ? "end" : "",
      rows: [["answered in all", count(s.totals?.total_requests)], ["dead letters", count(p?.dead_letters), p?.dead_letters ? "bad" : p ? "good" : ""]] },
  ];
}

function NothingYet() {
  const curl = `curl -s ${client.url("complete")} -H 'Content-Type: application/json' \\\n  -d '{"prompt": "What is the capital of France?", "user_id": "ada"}'`;
  return html`<${Empty} title="Nothing has been routed yet." steps=${[["Send a prompt", curl], ["Or many, of several kinds and from many users", `busu demo --url ${client.url(".").href.replace(/\/$/, "")}`],
    ["Then hold out some users, so that savings can be proven", "routing: {holdout: 0.02}"]]}>
    Send one prompt and this page comes alive within two seconds. Without a provider key, the simulated provider answers, at no cost.</${Empty}>`;
}

function spoken(s, report) {
  return `${rate(s.requests_per_second)} requests per second. In the ${PHRASES[report.window]}: ${count(report.total_requests)} requests, ${count(report.errors)} errors, latency p95 ${duration(report.latency_ms.p95)}.`;
}
