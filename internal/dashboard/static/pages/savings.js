// Savings: what is proven first, with its interval, its price in quality, and
// what stands behind it.

import { Bridge, CostQualityPlane, MarginRuler, SavingRuler, marginTable, planePoint, savingTable } from "../charts/proof.js";
import { saveCSV } from "../core/export.js";
import { useData } from "../core/data.js";
import { clock, count, date, dollars, fullStop, inPercent, money, number, percent, percentage, plural, share, shortDate, signed } from "../core/format.js";
import { html, useEffect } from "../core/html.js";
import { Button, Segmented, chosen } from "../parts/controls.js";
import { KeyValues } from "../parts/figures.js";
import { Guarded, Panel, Sketch } from "../parts/panel.js";
import { PageHead } from "../parts/shell.js";
import { mention } from "../parts/speech.js";
import { AsOf, Empty, Failure, Still } from "../parts/states.js";
import { Table } from "../parts/table.js";

const PERIODS = [["7d", "7 d"], ["30d", "30 d"], ["90d", "90 d"]];
const pct = (n) => percent(percentage(n));

export function SavingsPage() {
  const period = chosen("period", PERIODS, "30d");
  const savings = useData(`metrics/savings?window=${period}`, { every: 10_000 }), s = savings.data;
  useEffect(() => { if (s) mention(s.verdict); });
  const sub = s && html`<span class="sub">${shortDate(Date.parse(s.from))} to ${date(Date.parse(s.to))}${s.baseline_model && html`, against <b>${s.baseline_model}</b>`}</span><${AsOf} of=${savings} />`;
  const head = html`<${PageHead} title="Savings" sub=${sub}><${Segmented} name="period" label="Period" options=${PERIODS} value=${period} />
    <${Button} icon="save" disabled=${!s} onClick=${() => saveCSV(`savings-${period}`, ["Figure", "Value"], figures(s))}>Report</${Button}></${PageHead}>`;
  if (!s) return html`${head}${savings.problem ? html`<${Failure} ...${{ problem: savings.problem, retry: savings.retry }} />` : html`<${Still} height=${340} />`}`;
  if (!s.baseline_model) return html`${head}<${NothingYet} />`;
  return html`${head}<div class=${savings.waiting ? "waiting" : ""}><${Hero} s=${s} />
    <div class="grid gap"><div class="c7 stack"><${Plane} ...${{ savings, s }} /><${FromListToProof} ...${{ savings, s }} /></div>
      <div class="c5 stack"><${Policies} ...${{ savings, s }} /><${Behind} ...${{ savings, s }} /></div></div></div>`;
}

const NothingYet = () => html`<${Empty} title="Nothing has been saved yet." steps=${[["Hold out 2\u202f% of users: the baseline answers them, always", "routing: {holdout: 0.02}"], ["Then send requests with a user_id, or let busu do it", "busu demo"]]}>
  A saving is proven by comparing routed users with those of the hold-out, once each group has 30.</${Empty}>`;

function Hero({ s }) {
  return html`<section class="hero" aria-label="Saving"><div class="c8">
      <p class="eyebrow"><b>${titles[s.proven.state]}</b> · ${count(s.proven.holdout_users)} of ${plural(s.proven.holdout_users + s.proven.routed_users, "user")} compared ${s.proven.holdout_users === 1 ? "is" : "are"} held out, always on the baseline</p>
      <${Headline} key=${JSON.stringify(s.proven)} s=${s} /><${Ruled} title="Saving" name="saving" table=${() => savingTable(s)}><${SavingRuler} savings=${s} /></${Ruled}></div>
    <div class="c4"><${Quality} key=${JSON.stringify(s.good)} s=${s} /></div></section>`;
}

const titles = { proven: "Proven saving", dearer: "Proven extra cost", open: "Not proven yet", too_few: "Too early to say" };

function Headline({ s }) {
  const { state, per_month_usd: month, savings_pct: saved } = s.proven;
  const range = html`between <b>${dollars(Math.min(month.low, month.high))}</b> and <b>${dollars(Math.max(month.low, month.high))}</b>`;
  if (state === "proven") {
    return html`<p class="big">${dollars(month.savings)}<small>a month, ${pct(saved.value)} of the baseline cost</small></p>
      <p class="say">At this period’s traffic the true figure lies ${range}, with ${inPercent(s.confidence).replace(".0", "")} confidence that holds however often you look.</p>`;
  }
  if (state === "dearer") {
    return html`<p class="big bad">${dollars(-month.savings)}<small>a month more than the baseline</small></p>
      <p class="say">Routing costs more than always asking ${s.baseline_model}: the difference lies ${range} a month.</p>`;
  }
  if (state === "open") {
    return html`<p class="big mid2">${signed(saved.low, 0)} to ${signed(saved.high, 0)}<small>% of the baseline cost</small></p>
      <p class="say">Zero is still inside the interval, so nothing is proven. ${soon(s.proven.decisive)}</p>`;
  }
  return html`<p class="say lead">${fullStop(s.verdict)}</p>`;
}

function soon({ in_days: days, holdout_share_for_30_days: held }) {
  if (days === null) return held === null ? "" : `With ${inPercent(held)} of users held out it would be decided in 30 days.`;
  return days === 0 ? "" : `At this traffic it will be decided in ${days < 1 ? "less than a day" : plural(Math.ceil(days), "day")}.`;
}

function Quality({ s }) {
  const { good } = s, points = (n) => (n === null ? null : 100 * n);
  const eyebrow = html`<p class="eyebrow"><b>Quality, for that price</b> · good answers, points</p>`;
  if (good.state === "too_few" || good.low === null) return html`${eyebrow}<p class="say lead">Too few users to compare the answers yet.</p>`;
  const worst = points(good.low), promise = number(points(good.margin), 0);
  const ruled = { value: points(good.difference), low: worst, high: points(good.high), margin: -points(good.margin), unit: "points" };
  const say = {
    inside: worst < 0 ? `At worst ${number(-worst, 2)} points fewer good answers. The promise is no more than ${promise}.` : "No fewer good answers, shown.",
    worse: `Routed answers are shown to be worse by more than the ${promise} points that were promised.`,
    lopsided: "One group rates more of its answers than the other, so the difference says nothing yet.",
    open: `It may be as many as ${number(-worst, 1)} points fewer; no more than ${promise} is not shown yet. ${soon(good.decisive)}`,
  }[good.state];
  return html`${eyebrow}<p class="big mid">${signed(points(good.difference), 2)}<small>points</small></p><p class="say">${say}</p>
    <${Ruled} title="Quality" name="quality" table=${() => marginTable(ruled, "Good answers, routed less held out")}><${MarginRuler} ...${ruled} good=${good.state === "inside"} /></${Ruled}>`;
}

const Ruled = ({ children, ...sketch }) => html`<div class="rulers"><${Sketch} ...${sketch}><${Guarded}>${children}</${Guarded}></${Sketch}></div>`;

function Plane({ savings, s }) {
  const policies = s.policies.map(planePoint);
  return html`<${Panel} title="What fixed policies would have done" unit="same requests, as plans expected" of=${savings} name="cost-and-quality" table=${s.policies.length ? () => policyTable(s) : undefined}
    note=${s.policies.length ? "Predictions, not proofs: each plan lists what its candidates would cost and how likely a good answer is." : undefined}>
    ${() => (policies.length ? html`<${CostQualityPlane} policies=${policies} unit=${"predicted good answers, \u202f%"} />` : html`<p class="note nm">No plan of this period lists its candidates.</p>`)}</${Panel}>`;
}

function policyTable(s) {
  const routed = s.policies.find((p) => p.name === "routed");
  return {
    head: ["Policy", ">$ per 1,000", ">Predicted good", ">Against busu"], widths: [116, 82, 94, 110],
    rows: s.policies.map((p) => {
      const { name, cost } = planePoint(p), shown = p.name === "always_baseline" ? { show: html`${name} <small>${s.baseline_model}</small>`, value: name } : name;
      return { key: p.name, cls: p === routed ? "me" : "",
        cells: [shown, { show: money(cost), value: cost }, { show: inPercent(p.quality), value: p.quality }, { mood: "wrap", show: against(p, routed), value: "" }] };
    }),
  };
}

function against(p, routed) {
  if (!routed || p === routed) return "";
  const points = 100 * (p.quality - routed.quality), times = p.cost_per_request_usd / routed.cost_per_request_usd;
  return Math.abs(times - 1) < 0.02 ? `${signed(points, 1)} points` : html`${signed(points, 1)} points <small>at ${number(times, 1)} × the cost</small>`;
}

const Policies = ({ savings, s }) => html`<${Panel} title="Policies" unit="predicted, ${plural(s.policies[0]?.requests ?? 0, "request")}" of=${savings}>
  ${() => html`<${Table} ...${policyTable(s)} cls="pol" caption="Fixed policies beside what was routed" nothing="No plan of this period lists its candidates." />`}</${Panel}>`;

/** All per 1,000 requests, for the two groups are not of one size. */
function bridgeRows(s) {
  const { modelled: m, proven: p } = s, k = 1000;
  const listed = (k * m.baseline_cost_usd) / m.requests, paid = (k * m.cost_usd) / m.requests;
  if (p.state === "too_few") return [{ name: "Baseline, modelled", value: listed, kind: "modelled" },
    { name: "routing, modelled", change: paid - listed, kind: "unproven" }, { name: "Spent", value: paid, kind: "total" }];
  const held = k * p.raw_per_request_usd.holdout, charged = k * p.raw_per_request_usd.routed, kind = p.state === "proven" ? undefined : "unproven";
  return [{ name: "Baseline, modelled", value: listed, kind: "modelled" }, { name: "answer length", change: held - listed, kind: "unproven" },
    { name: "Baseline, measured", value: held, kind: "fact" },
    { name: "routing", change: charged - held, kind }, { name: "cache, other requests", change: paid - charged, kind: "unproven" }, { name: "Spent", value: paid, kind: "total" }];
}

function FromListToProof({ savings, s }) {
  if (!s.modelled.requests) return null;
  const rows = bridgeRows(s), few = s.proven.state === "too_few";
  const note = few ? "The model prices the same tokens at the baseline’s rates. What the baseline would really have cost is measured once the hold-out has 30 users."
    : "The model prices the same tokens at the baseline’s rates. Held-out users show what the baseline really costs; the step between is what other answers it writes, and other users. The proof counts the first requests of each user, and charges answers that were given again; the last step is what that leaves out.";
  const table = () => ({ head: ["Step", ">$ per 1,000 requests"], rows: rows.map((r) => [r.name, { show: money(r.change ?? r.value), value: r.change ?? r.value }]) });
  return html`<${Panel} title="From the price list to the proof" unit="US dollars per 1,000 requests" of=${savings} name="bridge" table=${table} note=${note}>${() => html`<${Bridge} rows=${rows} />`}</${Panel}>`;
}

function Behind({ savings, s }) {
  const { holdout: h, guard, modelled: m, proven: p } = s;
  const more = h.extra_cost_usd >= 0 ? "hold-out premium" : "less than routed";
  return html`<${Panel} title="What stands behind it" of=${savings}>${() => html`<${KeyValues} rows=${[
    ["Price of the proof", html`${dollars(Math.abs(h.extra_cost_usd))} <small>${more}, ${dollars(Math.abs(h.extra_per_month_usd))} a month</small>`],
    ["Hold-out", html`${inPercent(h.share)} of users <small>${plural(h.users, "user")}, ${plural(h.requests, "request")}</small>`],
    ["Saving decided", decided(p.decisive)], ["Good answers decided", decided(s.good.decisive)],
    ["Quality guard", guard.state === "armed" ? html`<span class="good">armed</span>${guard.at ? html` <small>since ${date(Date.parse(guard.at))}</small>` : html`, never tripped`}` : html`<span class="bad">tripped</span> <small>${clock(Date.parse(guard.at))}</small>`],
    ["Requests with a verdict", html`${inPercent(s.rated.routed)} routed, ${inPercent(s.rated.holdout)} held out ${!s.rated.balanced && html`<span class="warn">lopsided</span>`}`],
    ["Unit", html`user <small>${number((p.routed_requests + p.holdout_requests) / Math.max(1, p.routed_users + p.holdout_users), 1)} requests each on average</small>`],
    ["Mean latency", html`${number(s.latency_ms.routed)} ms routed, ${number(s.latency_ms.holdout)} ms held out`],
    ["Price table", s.price_versions.length ? html`${s.price_versions[0]} ${s.price_versions.length > 1 && html`<small>and ${s.price_versions.length - 1} more</small>`}` : "none"],
    ["Unpriced requests", `${count(m.unpriced_requests)} of ${count(m.requests)}`],
    ["Modelled, in all", html`${money(m.savings_usd)} <small>of ${money(m.baseline_cost_usd)}${m.savings_pct !== null && `, ${share(m.savings_usd, m.baseline_cost_usd)}\u202f%`}</small>`],
  ]} />`}</${Panel}>`;
}

function decided({ in_days: days, holdout_share_for_30_days: held }) {
  if (days === 0) return html`<span class="good">yes</span>`;
  if (days !== null) return html`in ${days < 1 ? "less than a day" : plural(Math.ceil(days), "day")} <small>at this traffic</small>`;
  return held === null ? "cannot be told yet" : html`in 30 days <small>with ${inPercent(held)} held out</small>`;
}

/** The report's figures by their path, as a table to keep. */
function figures(report) {
  const rows = [];
  const walk = (value, path) => {
    if (value !== null && typeof value === "object") for (const [name, inner] of Object.entries(value)) walk(inner, path ? `${path}.${name}` : name);
    else rows.push([path, value]);
  };
  walk(report, "");
  return rows;
}
