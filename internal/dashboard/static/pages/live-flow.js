// Where requests go: the flow of the latest requests, and the figures of the
// window for every model. No figure of the API tells strategy and model
// together, so the ribbons are those of a page of requests, and say so.

import { Flow } from "../charts/flow.js";
import { useData } from "../core/data.js";
import { count, duration, money, moneyDigits, percent, percentage, share } from "../core/format.js";
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
  return html`<${Panel} title="Where requests go" unit=${n ? `ribbons and strategies: the latest ${count(n)} requests; models: ${phrase}` : ""} of=${of} height=${360} name="routing" table=${() => modelTable(live, report.data)}>
    ${() => html`<${Flow} ...${flowOf(latest.data.requests, live.ramp, report.data)} />`}</${Panel}>`;
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

function columns(name, provider, report, digits) {
  if (name === "cache") {
    const hits = report.cache.memory + report.cache.redis + report.cache.postgres;
    return ["", percent(share(hits, hits + report.cache.miss)), "", "", "", ""];
  }
  const s = report.by_model[name];
  if (!s) return [provider ?? "", "–", "–", "–", "–", "–"];
  const answered = (100 * (s.requests - s.errors)) / s.requests;
  return [provider ?? "", percent(share(s.requests, report.total_requests)), money(perThousand(s), digits), money(s.savings_usd),
    { show: percent(percentage(answered)), mood: answered < HELD ? "th md" : "" }, duration(s.latency_ms.p95)];
}

function modelTable(live, report) {
  const shares = report.by_model;
  return {
    head: ["Model", ">Share", ">Requests", ">Errors", ">Cost", ">per 1,000", ">Saving, modelled", ">p50", ">p95", ">p99"],
    rows: live.ramp.names.filter((name) => shares[name]).map((name) => {
      const s = shares[name];
      return { key: name, cells: [{ show: html`<span class="key k${live.ramp.step(name)}" />${name}`, value: name },
        { show: percent(share(s.requests, report.total_requests)), value: s.requests / report.total_requests },
        { show: count(s.requests), value: s.requests }, { show: count(s.errors), value: s.errors }, { show: money(s.cost_usd), value: s.cost_usd },
          { show: money(perThousand(s)), value: perThousand(s) },
        { show: money(s.savings_usd), value: s.savings_usd }, ...["p50", "p95", "p99"].map((q) => ({ show: duration(s.latency_ms[q]), value: s.latency_ms[q] }))] };
    }),
  };
}
