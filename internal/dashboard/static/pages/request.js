// One request: what became of it, when, why that model, what it cost, who, and
// what was said of the answer.

import { Candidates, Timeline } from "../charts/request.js";
import { client } from "../core/client.js";
import { useData } from "../core/data.js";
import { clock, count, duration, exact, fullStop, inPercent, money, number, percent, percentage, plural, precise } from "../core/format.js";
import { html, useEffect, useRef } from "../core/html.js";
import { useLiveQuietly } from "../core/live.js";
import { to } from "../core/router.js";
import { Button, Copy, Tag } from "../parts/controls.js";
import { KeyValues } from "../parts/figures.js";
import { Guarded, Sketch } from "../parts/panel.js";
import { Failure, Still } from "../parts/states.js";

const MOODS = { error: "bad", cut_off: "bad", empty: "bad", canceled: "warn", interrupted: "bad" };

export function statusOf(r) {
  if (r.status !== "ok") return html`<span class=${MOODS[r.status]}>${r.status.replace("_", " ")}</span>`;
  return r.fallbacks.length ? html`<span class="warn">fell back</span>` : html`<span class="t">ok</span>`;
}

export function RequestDetail({ id }) {
  const request = useData(`requests/${encodeURIComponent(id)}`), r = request.data, head = useRef(null);
  useEffect(() => { if (r) head.current?.focus({ preventScroll: true }); }, [r !== null]);
  const bar = html`<div class="crumb"><span class="mono">${id}</span><${Copy} text=${id} what="request id" /><span class="acts">
    <${Copy} text=${() => `curl -s '${client.url(`requests/${id}`)}'`} what="as curl" kind="quiet">as curl</${Copy}><${Button} kind="icon" icon="cross" label="Close" href=${to("/requests")} /></span></div>`;
  return html`<section class="detail" aria-label="Request ${id}">${bar}
    ${r ? html`<h2 ref=${head} tabindex="-1">${headline(r)}</h2><p class="note">${story(r)}</p><${Guarded}>${() => html`<${Body} r=${r} />`}</${Guarded}>`
      : request.problem ? html`<${Failure} ...${{ problem: request.problem, retry: request.retry }} />` : html`<${Still} height=${600} />`}</section>`;
}

function headline(r) {
  const who = r.cache === "miss" ? r.model ?? "No model" : `The cache (${r.cache})`;
  const did = { ok: "answered", cut_off: "was cut off", empty: "answered nothing", error: "failed", canceled: "was canceled", interrupted: "was interrupted" }[r.status] ?? r.status;
  return `${who} ${did} after ${duration(r.latency_ms)}${r.cost_usd ? ` for ${money(r.cost_usd)}` : ""}`;
}

function story(r) {
  const parts = [];
  if (r.plan.reason) parts.push(fullStop(r.plan.reason));
  if (r.fallbacks.length) parts.push(`Before, ${r.fallbacks.join(", ")} failed.`);
  if (r.error_kind) parts.push(`Error: ${r.error_kind.replaceAll("_", " ")}.`);
  if (r.degraded.length) parts.push(`Done without ${r.degraded.join(", ")}.`);
  if (r.savings_usd !== 0) parts.push(`${r.cost.baseline_model} would have cost ${money(r.baseline_cost_usd)}, by the price list: a modelled ${r.savings_usd < 0 ? "loss" : "saving"} of ${money(Math.abs(r.savings_usd))}.`);
  return parts.join(" ");
}

const Body = ({ r }) => html`<${Course} r=${r} />${r.plan.candidates.length > 0 && html`<${Choice} r=${r} />`}<${Cost} r=${r} /><${Said} r=${r} /><${Who} r=${r} />`;

function Course({ r }) {
  const at = Date.parse(r.at), stored = Date.parse(r.ledger.persisted_at) - at;
  const [whole, rest] = precise(at), { ramp } = useLiveQuietly();
  const failed = r.attempts.filter((a) => a.outcome === "failed").map((a) => ({ name: a.model, text: "failed; how long it took is not recorded", mood: "bad" }));
  const own = { name: "busu itself", from: 0, to: r.overhead_ms, cls: "fi", text: `${duration(r.overhead_ms)} in all` };
  const rows = r.cache !== "miss" ? [{ name: `cache, ${r.cache}`, from: 0, to: r.latency_ms, cls: "fi", text: duration(r.latency_ms) }]
    : [own, ...failed, { name: r.model ?? "no model", from: 0, to: r.ttft_ms || r.latency_ms, cls: "fi3",
      text: r.ttft_ms && r.ttft_ms < r.latency_ms ? `first token ${duration(r.ttft_ms)}` : duration(r.latency_ms) },
      r.ttft_ms > 0 && r.ttft_ms < r.latency_ms && { name: "stream", from: r.ttft_ms, to: r.latency_ms, cls: `f${ramp.step(r.model) || 3}`,
        text: `${duration(r.latency_ms - r.ttft_ms)} · ${number((1000 * r.tokens_out) / (r.latency_ms - r.ttft_ms))} tokens/s` }];
  const recorded = { name: "recorded", from: r.latency_ms, to: stored, cls: "fg", text: `+${duration(Math.max(0, stored - r.latency_ms))} in PostgreSQL`, thin: true };
  const shown = [...rows, recorded].filter(Boolean), table = () => ({ head: ["Part", ">From", ">To", "What"],
    rows: shown.map((p) => [p.name, ...[p.from, p.to].map((ms) => ({ show: duration(ms), value: ms ?? "" })), p.text]) });
  return html`<${Sketch} title="Timeline" unit=${whole + rest} name="timeline" table=${table}><${Timeline} rows=${shown} until=${r.latency_ms} /></${Sketch}>`;
}

function Choice({ r }) {
  const { ramp } = useLiveQuietly(), { candidates } = r.plan;
  const rows = candidates.map((c) => ({ ...c, step: ramp.step(c.model),
    note: c.model === r.model && r.cache === "miss" ? "answered" : r.fallbacks.includes(c.model) ? "failed" : c.model === r.planned_model ? "planned" : "" })).sort((a, b) => a.cost_usd - b.cost_usd);
  const table = () => ({ head: ["Model", ">Predicted", ">Cost", ""], rows: rows.map((c) => [c.model, { show: inPercent(c.quality), value: c.quality }, { show: money(c.cost_usd), value: c.cost_usd }, c.note]) });
  return html`<${Sketch} title="Candidates" unit="predicted chance of a good answer, cheapest first" name="candidates" table=${table}><${Candidates} rows=${rows} /></${Sketch}>`;
}

const WHAT = { input: "tokens in", cached_input: "tokens in, from the provider’s cache", cache_write_input: "tokens in, into the provider’s cache", output: "tokens out" };

export const priced = (r) => `${r.cost.price_version ? `price table ${r.cost.price_version}` : ""}${r.estimated ? ", estimated" : ""}`;

const Cost = ({ r }) => html`<h3>Cost <span>${priced(r)}</span></h3><${CostTable} r=${r} />`;

export function CostTable({ r }) {
  const c = r.cost, line = (l) => Math.round((l.tokens * l.nanos_per_mtok) / 1e6);
  return html`<div class="tw"><table class="sum"><tbody>${c.lines === null ? html`<tr><td class="none">The prices of then are not configured any more.</td></tr>`
      : c.lines.map((l) => html`<tr><td>${count(l.tokens)} ${WHAT[l.what]}</td><td class="num q">× ${money(l.nanos_per_mtok / 1e9)} per million</td><td class="num">${exact(line(l))}</td></tr>`)}
      ${c.per_request_nanos > 0 && html`<tr><td>per request</td><td /><td class="num">${exact(c.per_request_nanos)}</td></tr>`}
      ${r.cache !== "miss" && html`<tr><td>given again from the cache</td><td class="num q">${r.cache_match?.replace("_", " ") ?? ""}</td><td class="num">${exact(c.cost_nanos - c.origin_cost_nanos)}</td></tr>`}
      <tr class="tot"><td>Total</td><td /><td class="num"><b>${exact(c.cost_nanos)}</b></td></tr>
      <tr><td class="q">${c.baseline_model}, the same tokens</td><td class="num q">modelled</td><td class="num q">${exact(c.baseline_cost_nanos)}</td></tr></tbody></table></div>`;
}

function Said({ r }) {
  if (!r.feedback.length) return null;
  return html`<h3>Feedback <span>${plural(r.feedback.length, "verdict")}</span></h3><ol class="ev">${r.feedback.map((f) => html`<li key=${f.id}><time>${clock(Date.parse(f.at)).slice(-8, -3)}</time><div>
    <span class=${f.bad ? "bad" : "good"}>${percent(percentage(100 * f.quality))} good</span>${f.rating !== null && `, rated ${f.rating} of 5`}${f.correct !== null && (f.correct ? ", correct" : ", wrong")}${f.source && ` · ${f.source}`}
    <span class="t"> · ${f.state}${f.note ? `: ${f.note}` : ""}</span>${f.comment && html`<br />“${f.comment}”`}</div></li>`)}</ol>`;
}

function Who({ r }) {
  const mono = (s) => (s === null ? html`<span class="t">none</span>` : html`<span class="mono">${s}</span>`);
  const link = (name, s) => (s === null ? mono(null) : html`<a class="mono" href=${to("/requests", { [name]: s })}>${s}</a>`);
  return html`<h3>Who and what <span>project ${r.project}</span></h3><${KeyValues} cls="" rows=${[
    ["User", link("user_id", r.user_id)], ["Session", link("session_id", r.session_id)], ["Key", link("key_id", r.key_id)], ["Your own id", mono(r.caller_id)],
    ["Strategy", html`${r.strategy}${r.confidence && `, confidence ${r.confidence}`}, complexity ${number(r.plan.complexity, 2)} ${r.holdout && html`<${Tag} mood="good">hold-out</${Tag}>`}`],
    ["Planned", html`${r.planned_model} <small>with probability ${number(r.plan.propensity, 3)}</small>`], ["Learned snapshot", r.plan.snapshot || "none"],
    ["Experiments", r.experiments.length ? r.experiments.map((x) => html`<a href=${to(`/experiments/${x.experiment}`)}>${x.arm}</a> `) : html`<span class="t">none</span>`],
    r.origin_request_id && ["Answer made by", html`<a class="mono" href=${to(`/requests/${r.origin_request_id}`)}>${r.origin_request_id}</a>`],
    ["Finish", r.finish_reason ?? "–"], ...Object.entries(r.metadata ?? {}).map(([name, value]) => [`metadata ${name}`, mono(value)]),
    ["In the ledger", html`<span class="mono">${r.ledger.partition}:${r.ledger.seq}</span> <small>of ${r.ledger.journal}</small>`]]} />`;
}
