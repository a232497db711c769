// What the page says: figures of a window, totals, the pipeline, and how
// fresh all of it is.

import { byId, fillRows, put, svg, write } from "./dom.js";
import { NONE, age, clock, count, duration, inScale, money, moneyDigits, percent, percentage, plural, rate, share, timeScale } from "./format.js";

const PHRASES = { "1m": "last minute", "5m": "last 5 minutes", "1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days" };
const CONFIDENCE = ["high", "medium", "low"];
const LATE = 5000; // a fact that waits longer for its row is late

/** Windows that can be asked for. */
export const WINDOWS = Object.keys(PHRASES);

/** Figures of one window; note says when they are older than they look. */
export function showReport(report, ramp, note) {
  const phrase = PHRASES[report.window];
  showCounts(report, phrase);
  showSaving(report);
  showModels(report, ramp, phrase);
  const rows = (shares, names) => names.map((name) => shareRow(name, shares[name], report));
  const nothing = `No request in the ${phrase}.`;
  fillRows(byId("strategies"), rows(report.by_strategy, byRequests(report.by_strategy)), nothing);
  const confidences = byRequests(report.by_confidence);
  fillRows(byId("confidences"), rows(report.by_confidence, [...CONFIDENCE, ...confidences.filter((c) => !CONFIDENCE.includes(c))].filter((c) => confidences.includes(c))), nothing);
  showErrors(report, phrase);
  for (const [panel, more] of [["saving"], ["models", "cheap to dear"], ["strategy"], ["confidence"], ["errors"]]) {
    put(`${panel}-window`, [phrase, note || more].filter(Boolean).join(", "), note ? "warn" : "");
  }
}

function showCounts(report, phrase) {
  put("requests", `${count(report.total_requests)} in the ${phrase}`);
  put("errors", share(report.errors, report.total_requests));
  put("errors-unit", report.total_requests ? "%" : "");
  put("errors-of", `${count(report.errors)} of ${plural(report.total_requests, "request")}`);
  showQuantiles("latency", report.latency_ms);
  showQuantiles("ttft", report.ttft_ms);
  showQuantiles("overhead", report.overhead_ms);
  put("cost", money(report.cost_usd));
}

function showQuantiles(name, q) {
  const scale = timeScale(q.p95);
  put(name, inScale(q.p95, scale));
  put(`${name}-unit`, q.p95 === null ? "" : scale.unit);
  put(`${name}-more`, `p50 ${inScale(q.p50, scale)} · p99 ${inScale(q.p99, scale)}`);
}

/** Ink is what was paid, hatch what is modelled. */
function showSaving({ cost_usd: cost, baseline_cost_usd: baseline, savings_usd: saving, savings_pct: pct }) {
  const dearer = saving < 0, known = baseline > 0;
  put("saving-title", dearer ? "Modelled extra cost" : "Modelled saving");
  put("saving-pct", known ? percent(percentage(Math.abs(pct))) : NONE);
  put("saving-usd", known ? money(Math.abs(saving)) : "");
  put("saving-cost", money(cost));
  put("saving-baseline", money(baseline));
  put("saving-bar-title", known ? `Cost ${money(cost)} against a modelled baseline of ${money(baseline)}` : "No cost yet");
  const most = Math.max(cost, baseline), width = (n) => `${most > 0 ? (100 * n) / most : 0}%`;
  byId("bar-cost").setAttribute("width", width(cost));
  byId("bar-baseline").setAttribute("width", width(baseline));
  byId("bar-mark").setAttribute("x1", width(baseline));
  byId("bar-mark").setAttribute("x2", width(baseline));
  byId("bar-mark").setAttribute("visibility", known ? "visible" : "hidden");
}

function showModels(report, ramp, phrase) {
  const shares = report.by_model, names = ramp.names.filter((name) => shares[name]);
  const thousand = (s) => (s.requests ? (1000 * s.cost_usd) / s.requests : null);
  const digits = {
    cost: moneyDigits(names.map((name) => shares[name].cost_usd)),
    thousand: moneyDigits(names.map((name) => thousand(shares[name]))),
    saved: moneyDigits(names.map((name) => shares[name].savings_usd)),
  };
  fillRows(byId("models"), names.map((name) => {
    const s = shares[name];
    return {
      name, key: `k${ramp.step(name)}`,
      cells: [percent(share(s.requests, report.total_requests)), count(s.requests), count(s.errors), money(s.cost_usd, digits.cost),
        money(thousand(s), digits.thousand), money(s.savings_usd, digits.saved), ...quantileCells(s.latency_ms)],
    };
  }), `No request in the ${phrase}.`);
  drawShares(report, ramp);
}

const quantileCells = ({ p50, p95, p99 }) => [duration(p50), duration(p95), duration(p99)];

/** One bar of all requests; what no model answered stays empty. */
function drawShares({ by_model: shares, total_requests: total }, ramp) {
  let x = 0;
  const parts = ramp.groups().flatMap(([, step, names]) => {
    const n = names.reduce((sum, name) => sum + (shares[name]?.requests ?? 0), 0);
    if (!n || !total) return [];
    const from = x, width = (100 * n) / total;
    x += width;
    return [svg("rect", { x: `${from}%`, y: 2, width: `${width}%`, height: 20, class: `f${step} band` })];
  });
  byId("shares").replaceChildren(svg("rect", { x: "0", y: 2, width: "100%", height: 20, class: "out" }), ...parts);
}

const byRequests = (shares) => Object.keys(shares).sort((a, b) => shares[b].requests - shares[a].requests || a.localeCompare(b));

function shareRow(name, s, report) {
  return { name, cells: [percent(share(s.requests, report.total_requests)), count(s.requests), duration(s.latency_ms.p95)] };
}

function showErrors({ errors_by_kind: kinds, total_requests: total }, phrase) {
  const names = Object.keys(kinds).sort((a, b) => kinds[b] - kinds[a] || a.localeCompare(b));
  fillRows(byId("kinds"), names.map((name) => ({ name: name.replaceAll("_", " "), cells: [percent(share(kinds[name], total)), count(kinds[name])] })), `No error in the ${phrase}.`);
}

/** What the snapshot says of now and of all time, whatever window is chosen. */
export function showNow(s) {
  put("rate", rate(s.requests_per_second));
  put("cost-rate", `${money(s.cost_usd_per_hour)} per hour now`);
  put("line-rate", `${rate(s.requests_per_second)}\u202f/s`);
  showTotals(s.totals);
  showPipeline(s.pipeline, s.totals);
  put("source", s.source === "redis" ? "Figures from Redis" : "Figures from PostgreSQL");
}

function showTotals(t) {
  put("all-requests", count(t?.total_requests));
  put("all-errors", t ? `${count(t.errors)}${t.total_requests ? ` (${percent(share(t.errors, t.total_requests))})` : ""}` : NONE);
  put("all-tokens", t ? `${count(t.tokens_in)}, ${count(t.tokens_out)}` : NONE);
  put("all-cost", money(t?.cost_usd));
  put("all-baseline", money(t?.baseline_cost_usd));
  put("all-saving", t ? `${money(t.savings_usd)}${t.baseline_cost_usd ? ` (${percent(percentage(t.savings_pct))})` : ""}` : NONE);
}

function showPipeline(p, totals) {
  const late = p?.oldest_ms > LATE;
  put("line-answered", count(totals?.total_requests));
  put("line-unread", count(p?.unread), late && p.unread ? "warn" : "");
  put("line-kept", count(p?.stream_entries));
  put("line-pending", count(p?.pending), late && p.pending ? "warn" : "");
  put("line-oldest", p ? (p.oldest_ms > 0 ? (p.oldest_ms < 1000 ? duration(Math.round(p.oldest_ms)) : age(p.oldest_ms)) : NONE) : NONE, late ? "warn" : "");
  put("line-dead", count(p?.dead_letters), p?.dead_letters ? "bad" : "");
  byId("line-stream").className = late && p.unread ? "late" : "";
  byId("line-worker").className = late && p.pending ? "late" : "";
  byId("line-ledger").className = p?.dead_letters ? "broken" : "";
}

/** Says how the feed is. f is {mode, problem, left}, of the snapshot its time and age. */
export function showStatus(f, { asOf, old, stale }) {
  const at = asOf ? ` as of ${clock(asOf)}` : "";
  const fresh = asOf ? `as of ${age(old)} ago` : "";
  const [dot, text, mood] = {
    connecting: ["wait", "connecting", ""],
    live: stale ? ["half", `stale,${at}`, "warn"] : ["", fresh, ""],
    polling: stale ? ["half", `stale,${at}`, "warn"] : ["", `${fresh}, polling`, ""],
    reconnecting: ["half", `reconnecting${at && ","}${at}`, "warn"],
    down: ["off", `disconnected${at && ","}${at}`, "bad"],
    locked: ["wait", "a key is wanted", ""],
    paused: ["half", `paused,${at}`, "warn"],
  }[f.mode];
  byId("dot").className = `dot ${dot}`;
  put("status", text, mood);
}

/** Shows or takes away the banner: {what, so, next, bad} or null; next is when it is tried again. */
export function showBanner(banner) {
  const node = byId("banner");
  node.hidden = !banner;
  if (!banner) return;
  node.classList.toggle("bad", Boolean(banner.bad));
  put("banner-what", banner.what);
  put("banner-so", banner.so);
  put("banner-next", banner.next ?? "");
  byId("retry").hidden = !banner.next;
}

/** A sentence for those who listen. */
export function spoken(s, report) {
  const saving = report.baseline_cost_usd > 0 ? `, modelled saving ${percentage(report.savings_pct)} percent` : "";
  return `${rate(s.requests_per_second)} requests per second. In the ${PHRASES[report.window]}: ${count(report.total_requests)} requests, ${count(report.errors)} errors, latency p95 ${duration(report.latency_ms.p95)}${saving}.`;
}

export function showChosenWindow(name) {
  for (const a of byId("windows").children) {
    if (new URL(a.href).searchParams.get("window") === name) a.setAttribute("aria-current", "true");
    else a.removeAttribute("aria-current");
  }
}

export function setPaused(paused) {
  const button = byId("pause");
  button.setAttribute("aria-pressed", String(paused));
  write(button.lastChild, paused ? "Paused" : "Pause");
}
