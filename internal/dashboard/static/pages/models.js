// Models: what each is, how it fares, how good its answers are, and what was
// learned of all of them.

import { CostQualityPlane, onPlane, planePoint, policyName } from "../charts/proof.js";
import { Candidates } from "../charts/request.js";
import { useData } from "../core/data.js";
import { NONE, clock, count, duration, inPercent, money, moneyDigits, number, percentage, plural } from "../core/format.js";
import { html } from "../core/html.js";
import { useLiveQuietly } from "../core/live.js";
import { to } from "../core/router.js";
import { breakerWord } from "../parts/breakers.js";
import { Segmented, Tag, chosen } from "../parts/controls.js";
import { KeyValues } from "../parts/figures.js";
import { Panel } from "../parts/panel.js";
import { PageHead } from "../parts/shell.js";
import { AsOf, Nothing } from "../parts/states.js";
import { Table } from "../parts/table.js";

const WINDOWS = [["1h", "1 h"], ["24h", "24 h"], ["7d", "7 d"]];
const unknown = () => html`<${Nothing} title="PostgreSQL does not answer, which knows it." />`;
const each = (m) => (m.requests ? m.cost_usd / m.requests : null);

export function ModelsPage() {
  const window = chosen("window", WINDOWS, "24h"), models = useData(`models?window=${window}`, { every: 5000 });
  const { ramp } = useLiveQuietly(), of = { of: models }, data = models.data;
  if (data) ramp.learn(data.window, Object.fromEntries(data.models.filter((m) => m.requests).map((m) => [m.id, m])));
  return html`<${PageHead} title="Models" sub=${html`<${AsOf} of=${models} />`}><${Segmented} name="window" label="Window" options=${WINDOWS} value=${window} /></${PageHead}><div class="grid">
    <div class="c12"><${Panel} title="How each fares" unit=${data && plural(data.total_requests, "request")} ...${of} name="models" table=${() => faring(data, ramp)}>
      ${() => html`<${Table} ...${faring(data, ramp)} cls="nowrap" caption="Models" />`}</${Panel}></div>
    <div class="c7 stack"><${Panel} title="What could be had" unit="of the newest decisions, as snapshots predicted them" ...${of} height=${440} name="curve"
        table=${data?.curve && (() => curveTable(data.curve))} note=${data?.curve && curveNote(data.curve)}>${() => html`<${Curve} data=${data} />`}</${Panel}></div>
    <div class="c5 stack"><${Panel} title="Good answers" unit="by verdicts, 95 % intervals over users" ...${of} name="quality" table=${() => qualityTable(data)}>
        ${() => html`<${Quality} ...${{ data, ramp }} />`}</${Panel}>
      <${Panel} title="What was learned" ...${of}>${() => html`<${Learned} data=${data} />`}</${Panel}></div>
    <div class="c12"><${Panel} title="What each is" unit="prices in dollars per million tokens" ...${of} name="model-list" table=${() => listing(data)}>
      ${() => html`<${Table} ...${listing(data)} cls="nowrap" caption="Prices and abilities" />`}</${Panel}></div></div>`;
}

const name = (m, ramp) => ({ show: html`${ramp && html`<span class="key k${ramp.step(m.id)}" />`}${m.id} ${m.is_baseline && html`<${Tag}>baseline</${Tag}>`}`, value: m.id });

function faring({ models }, ramp) {
  const perThousand = (m) => (m.requests ? 1000 * each(m) : null), digits = moneyDigits(models.map(perThousand)), spent = moneyDigits(models.map((m) => m.cost_usd));
  const rate = (m) => ({ show: m.requests ? inPercent(m.error_rate) : NONE, value: m.error_rate, mood: m.error_rate > 0.05 ? "bad" : "" });
  const good = (q) => ({ show: html`${inPercent(q?.mean)} ${q && html`<small>${within(q)}</small>`}`, value: q?.mean ?? "" });
  const breaker = (state) => ({ show: state ? breakerWord(state) : NONE, mood: { open: "bad", half_open: "warn" }[state] ?? "" });
  return {
    head: ["Model", ">Share", ">Requests", ">Errors", ">$ per 1,000", ">Spent", ">p50", ">p95", ">p99", ">Good answers", "Breaker"], widths: [170, 64, 84, 64, 92, 84, 76, 76, 76, 150, 84],
    rows: models.filter((m) => m.purpose === "chat" || m.requests).map((m) => ({ key: m.id, cells: [name(m, ramp), { show: inPercent(m.share), value: m.share }, count(m.requests),
      rate(m), { show: money(perThousand(m), digits), value: perThousand(m) }, { show: money(m.cost_usd, spent), value: m.cost_usd },
      ...["p50", "p95", "p99"].map((q) => ({ show: duration(m.latency_ms[q]), value: m.latency_ms[q] })), good(m.quality), breaker(m.breaker)] })),
  };
}

const within = (q) => (q.low === null ? `of ${plural(q.verdicts, "verdict")}` : `${percentage(100 * q.low)} to ${percentage(100 * q.high)}`);

function Quality({ data, ramp }) {
  const judged = data.models.filter((m) => m.quality && m.requests).sort((a, b) => each(a) - each(b));
  if (!judged.length) return data.degraded.length ? unknown() : html`<${Nothing} title="Nobody has judged an answer yet.">Verdicts come by POST /feedback; busu demo --feedback-rate 0.5 sends some.</${Nothing}>`;
  const rows = judged.map((m) => ({ model: m.id, quality: m.quality.mean, low: m.quality.low ?? undefined, high: m.quality.high ?? undefined,
    cost_usd: each(m), step: ramp.step(m.id), note: plural(m.quality.verdicts, "verdict") }));
  return html`<${Candidates} rows=${rows} costs="per request" what="Good answers by verdicts, models by cost" />
    <p class="note">Verdicts are on what routing sent to a model, so models got other prompts: they are no ranking.${rows.some((r) => r.low === undefined) && " Below 30 users there is no interval."}</p>`;
}

function qualityTable({ models }) {
  const cell = (v, show) => ({ show: show(v), value: v ?? "" });
  return { head: ["Model", ">Verdicts", ">Users", ">Mean", ">Low", ">High", ">Bad", ">Held out"],
    rows: models.filter((m) => m.quality || m.quality_holdout).map(({ id, quality: q, quality_holdout: held }) => [id, cell(q?.verdicts, count), cell(q?.users, count),
      cell(q?.mean, inPercent), cell(q?.low, inPercent), cell(q?.high, inPercent), cell(q?.bad, count), inPercent(held?.mean)]) };
}

function Curve({ data: { curve, degraded } }) {
  if (!curve) return degraded.length ? unknown() : html`<${Nothing} title="No decision of this window lists its candidates.">Strategies that predict quality do, hybrid and learning: busu demo sends requests.</${Nothing}>`;
  const points = curve.points.map((p) => ({ ...onPlane(p), live: p.live }));
  return html`<${CostQualityPlane} policies=${curve.policies.map(planePoint)} curve=${points} unit=${"predicted good answers, \u202f%"} />`;
}

const curveNote = ({ points }) => `${points.length ? "Each point of the curve is another price of quality; the filled one is live. " : ""}Predictions, not proofs.`;

const shares = (s) => Object.entries(s).filter(([, v]) => v > 0.0005).sort((a, b) => b[1] - a[1]).map(([m, v]) => `${m} ${inPercent(v)}`).join(", ");

function curveTable({ policies, points }) {
  const row = (p, text, more) => [text, number(p.lambda, 1), { show: money(onPlane(p).cost), value: onPlane(p).cost }, { show: inPercent(p.quality), value: p.quality }, more];
  return { head: ["Policy", ">Price of quality", ">$ per 1,000", ">Predicted good", "Shares"],
    rows: [...policies.map((p) => row(p, policyName(p), p.baseline_share === null ? "" : `baseline ${inPercent(p.baseline_share)}`)),
      ...points.map((p) => row(p, p.live ? "Live" : "Curve", shares(p.shares)))] };
}

function Learned({ data }) {
  const { learned, curve } = data;
  if (!learned.length) return data.degraded.length ? unknown() : html`<p class="note nm">Nothing yet: what is shipped decides until verdicts have come.</p>`;
  return learned.map((s) => html`<${KeyValues} key=${s.strategy} rows=${[
    ["Strategy", html`${s.strategy} <small>${s.project === "*" ? "what all projects taught" : `project ${s.project}`}</small>`],
    ["Published", html`snapshot ${count(s.snapshot)} <small>${clock(Date.parse(s.at))}${s.rolled_back_to !== null && `, is ${s.rolled_back_to} again`}</small>`],
    ["Verdicts learned from", count(s.verdicts)],
    ["Weight of what was learned", html`${number(s.weight, 2)} <small>${s.weight === 0 ? "not better than what is shipped yet" : "beside what is shipped"}</small>`],
    ["Price of quality", html`${number(s.lambda, 1)} <small>good answers that a dollar must buy</small>`],
    curve?.strategy === s.strategy && ["Curve made of", plural(curve.decisions, "decision")],
    ["", html`<a href=${to("/system", { learner: s.strategy })}>Versions, and the way back</a>`]]} />`);
}

function listing({ models }) {
  const digits = moneyDigits(models.filter((m) => m.price.known).flatMap(({ price: p }) => [p.input_usd_per_mtok, p.cached_input_usd_per_mtok, p.output_usd_per_mtok]));
  const price = (m, field) => ({ show: m.price.known ? money(m.price[field], digits) : html`<span class="t">unknown</span>`, value: m.price.known ? m.price[field] : "" });
  return {
    head: ["Model", "Provider", "Tier", ">In", ">In, cached", ">Out", ">Context", "Speaks", "Lacks"],
    rows: models.map((m) => [name(m), { show: html`${m.provider} <small>${m.upstream !== m.id && m.upstream}</small>`, value: `${m.provider} ${m.upstream}` }, m.tier ?? m.purpose, price(m, "input_usd_per_mtok"), price(m, "cached_input_usd_per_mtok"), price(m, "output_usd_per_mtok"),
      { show: count(m.context_tokens), value: m.context_tokens ?? "" }, m.formats.join(", "), m.lacks.join(", ") || { show: html`<span class="t">nothing known</span>`, value: "" }]),
  };
}
