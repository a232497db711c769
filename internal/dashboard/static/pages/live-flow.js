// Where requests go: the flow of the latest requests, and the figures of the
// window for every model. No figure of the API tells strategy and model
// together, so the ribbons are those of a page of requests, and say so.

import { Flow } from "../charts/flow.js";
import { useData } from "../core/data.js";
import { count, duration, inPercent, money, moneyDigits, percent, percentage, share } from "../core/format.js";
import { html } from "../core/html.js";
import { Panel } from "../parts/panel.js";

const SAMPLE = 500;
const HELD = 98; // per cent answered; less is said in the colour of harm

const HEADS = ["Provider", "Share", "$ per 1,000", "Saving", "Answered", "p95"], KEEP = [1, 2, 5, 4, 3];

export function RoutingFlow({ live, report, phrase }) {
  const latest = useData(`requests?limit=${SAMPLE}`, { every: 15_000 });
  const of = { ...latest, data: latest.data && report.data && { ...latest.data, stale: report.data.stale } };
  const n = latest.data?.requests.length;
  if (n) live.ramp.learnFrom(latest.data.requests);
  const flow = () => flowOf(latest.data.requests, live.ramp, report.data);
  return html`<${Panel} title="Where requests go" unit=${n ? `ribbons and strategies: the latest ${count(n)} requests; models: ${phrase}` : ""} of=${of} height=${360} name="routing" table=${() => modelTable(live, report.data, flow())}>
    ${() => html`<${Flow} ...${flow()} />`}</${Panel}>`;
}

const strategyOf = (r) => (r.holdout ? "hold-out" : r.strategy === "model" ? "model given" : r.strategy);
const modelOf = (r) => (r.cache !== "miss" ? "cache" : r.model ?? "none");

function flowOf(requests, ramp, report) {
  const links = new Map(), providers = new Map();
  for (const r of requests) {
    const from = strategyOf(r), to = modelOf(r), key = `${from}\n${to}`;
    links.set(key, { from, to, n: (links.get(key)?.n ?? 0) + 1 });
    if (r.model) providers.set(r.model, r.provider);
  }
  const names = [...links.values()], total = (key, name) => names.reduce((s, l) => s + (l[key] === name ? l.n : 0), 0);
  const left = [...new Set(names.map((l) => l.from))].sort((a, b) => (a === "hold-out") - (b === "hold-out") || total("from", b) - total("from", a));
  const to = new Set(names.map((l) => l.to)), others = [...to].filter((name) => name !== "cache" && !ramp.names.includes(name));
  const right = ["cache", ...ramp.names, ...others].filter((name) => to.has(name));
  const digits = moneyDigits(right.map((name) => perThousand(report.by_model[name])));
  return { links: names, left, heads: HEADS, keep: KEEP, right: right.map((name) => ({ name, step: name === "cache" ? "cache" : ramp.step(name),
    columns: columns(name, providers.get(name), report, digits) })) };
}

const perThousand = (s) => (s?.requests ? (1000 * s.cost_usd) / s.requests : null);

function hitRate({ cache: { memory, redis, postgres, miss } }) {
  const hits = memory + redis + postgres;
  return hits + miss ? hits / (hits + miss) : null;
}

function columns(name, provider, report, digits) {
  if (name === "cache") return ["", inPercent(hitRate(report)), "", "", "", ""];
  const s = report.by_model[name];
  if (!s) return [provider ?? "", "–", "–", "–", "–", "–"];
  const answered = (100 * (s.requests - s.errors)) / s.requests;
  return [provider ?? "", percent(share(s.requests, report.total_requests)), money(perThousand(s), digits), money(s.savings_usd),
    { show: percent(percentage(answered)), mood: answered < HELD ? "th md" : "" }, duration(s.latency_ms.p95)];
}

function modelTable(live, report, { links, left, right }) {
  const shares = report.by_model, cell = (v, show) => ({ show: show(v), value: v ?? "" });
  const names = new Set([...right.map((n) => n.name), ...live.ramp.names.filter((name) => shares[name])]);
  return {
    head: ["Model", ">Share", ">Requests", ">Errors", ">Cost", ">per 1,000", ">Saving, modelled", ">p50", ">p95", ">p99", ...left.map((from) => `>from ${from}`)],
    rows: [...names].map((name) => {
      const s = shares[name];
      return { key: name, cells: [{ show: html`<span class="nb"><span class="key k${live.ramp.step(name)}" />${name}</span>`, value: name },
        cell(name === "cache" ? hitRate(report) : s && s.requests / report.total_requests, inPercent),
        cell(s?.requests, count), cell(s?.errors, count), ...[s?.cost_usd, perThousand(s), s?.savings_usd].map((usd) => cell(usd, (n) => money(n))),
        ...["p50", "p95", "p99"].map((q) => cell(s?.latency_ms[q], (ms) => duration(ms))),
        ...left.map((from) => cell(links.find((l) => l.from === from && l.to === name)?.n ?? 0, count))] };
    }),
  };
}
