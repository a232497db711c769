// One experiment: the verdict in a sentence, then what it was reached from. A
// broken split withholds every effect.

import { ConfidenceSequence, Entered, ForestPlot, Progress, Split } from "../charts/experiment.js";
import { client } from "../core/client.js";
import { useData } from "../core/data.js";
import { save, saveCSV } from "../core/export.js";
import { NONE, age, clock, count, date, duration, money, moneyDigits, number, percent, percentage, plural, signed } from "../core/format.js";
import { html, useEffect } from "../core/html.js";
import { to } from "../core/router.js";
import { Button, Menu, Segmented, Tag, chosen } from "../parts/controls.js";
import { CheckList, KeyValues, Verdict } from "../parts/figures.js";
import { Icon } from "../parts/icons.js";
import { Panel } from "../parts/panel.js";
import { PageHead } from "../parts/shell.js";
import { mention } from "../parts/speech.js";
import { AsOf, Failure, Still } from "../parts/states.js";
import { Table, forExport } from "../parts/table.js";
import { Actions } from "./experiment-actions.js";
import { METRICS, RULES, figures, standing } from "./experiment-words.js";

const pct = (v) => percent(percentage(100 * v));
const at = (text) => Date.parse(text);
const FEW = 30; // users of an arm, of whom nothing is said
const p = (v) => (v < 0.001 ? "< 0.001" : number(v, 3));

export function ExperimentPage({ id }) {
  const path = `experiments/${encodeURIComponent(id)}`, record = useData(path, { every: 10_000 }), e = record.data;
  const results = useData(`${path}/results`, { every: e?.state === "running" ? 3000 : 0 }), r = results.data;
  useEffect(() => { if (e && e.state !== r?.state) results.retry(); }, [e?.state]);
  useEffect(() => { if (r) mention(r.verdict); });
  const crumb = html`<a href=${to("/experiments")}>Experiments</a><${Icon} name="right" /><span class="mono">${id}</span>`;
  if (!e || !r) {
    const failed = [record, results].find((of) => of.problem && !of.data);
    return html`<${PageHead} title=${e?.name ?? "Experiment"} crumb=${crumb} />${failed ? html`<${Failure} ...${failed} />` : html`<${Still} height=${340} />`}`;
  }
  const tests = r.arms.slice(1).map((a) => [a.arm, a.arm]), arm = chosen("arm", tests, r.winner && r.winner !== r.arms[0].arm ? r.winner : tests[0][0]);
  const withheld = !r.srm.ok || r.outcome === "invalid_srm", x = { e, r, results, arm, control: r.arms[0], test: r.arms.find((a) => a.arm === arm), withheld };
  const of = { ...results, data: { ...r, stale: r.degraded.includes("postgres") } };
  const from = at(r.started_at), until = e.ended_at ? at(e.ended_at) : Date.now();
  const sub = html`<span class="sub">since ${clock(from)}, ${e.ended_at ? "for" : "by now"} ${age(until - from)}${e.archived_at && ", archived"}</span>${(of.data.stale || !e.ended_at) && html`<${AsOf} of=${of} />`}`;
  return html`<${PageHead} title=${r.name} sub=${sub} crumb=${crumb}>${tests.length > 1 && html`<${Segmented} name="arm" label="Arm" options=${tests} value=${arm} />`}
      <${Menu} text="Export" icon="save"><${Button} kind="quiet" onClick=${() => keep(path, r, "text/csv")}>CSV</${Button}><${Button} kind="quiet" onClick=${() => keep(path, r, "application/json")}>JSON</${Button}></${Menu}>
      <${Actions} e=${e} changed=${() => { record.retry(); results.retry(); }} /></${PageHead}>
    <${Hero} ...${x} /><div class="grid gap">${withheld ? html`<div class="c4"><${SplitPanel} ...${x} /></div><div class="c4"><${Far} ...${x} /></div><div class="c4"><${Arrivals} ...${x} of=${of} /></div>` : html`<div class="c12"><${Effects} ...${x} of=${of} /></div>
      <div class="c8 stack"><${Course} ...${x} of=${of} /></div><div class="c4 stack"><${Far} ...${x} /><${SplitPanel} ...${x} /><${Arrivals} ...${x} of=${of} /></div>`}
      <div class="c12"><${Arms} ...${x} of=${of} /></div>${!withheld && html`<div class="c6"><${Guardrails} ...${x} /></div>`}<div class=${withheld ? "c12" : "c6"}><${Method} ...${x} /></div>
      ${!withheld && r.segments.length > 0 && html`<div class="c12"><${Segments} ...${x} of=${of} /></div>`}${e.notify_url && html`<div class="c12"><${Deliveries} path=${path} /></div>`}</div>`;
}

/** The results as the API writes them, as a file. */
async function keep(path, r, type) {
  const answer = await client.open(`${path}/results`, { headers: { Accept: type } });
  save(`${r.name.replace(/[^\w.-]+/g, "-")}.${type.slice(-4).replace("/", "")}`, await answer.blob());
}

function Hero({ e, r, arm, withheld }) {
  const [state, , label] = withheld ? ["blocked", "", "No verdict: the split is wrong"] : standing(r), primary = r.metrics.find((m) => m.primary && m.arm === arm);
  const early = r.state === "running" && r.arms.some((a) => a.users < FEW) && !withheld;
  const broken = [...r.srm.split].sort((a, b) => Math.abs(b.share - b.expected) - Math.abs(a.share - a.expected))[0];
  const sentence = withheld && r.outcome !== "invalid_srm" ? `${broken.arm} has ${pct(broken.share)} of the users; ${pct(broken.expected)} was planned. Something loses users of one arm, so no result can be trusted.` : r.verdict.replaceAll(" %", "\u202f%");
  const note = withheld ? "Likely causes: answers sent before the user was assigned, failures of one arm that leave no record, clients that keep an arm by themselves. Effects are not shown." : r.state === "running" ? soFar(r, primary)
    : r.decision && `Decided at ${count(r.decision.units)} of ${count(r.sample.target)} users, ${r.decision.early ? "early" : "at the end"}: ${RULES[r.decision.reason] ?? r.decision.reason}.`;
  const aside = html`<${KeyValues} rows=${[
    r.decision ? ["Decided", html`${date(at(r.decision.at))} <small>${clock(at(r.decision.at))}</small>`] : ["Full sample", r.projected_end ? html`${date(at(r.projected_end))} <small>at this pace</small>` : NONE],
    !withheld && ["Always-valid p", html`${p(r.p_value_always_valid)} <small>of α ${r.boundary.early}</small>`],
    ["win", "lose"].includes(r.outcome) && r.decision.early && ["Users not needed", `${count(r.sample.target - r.decision.units)} of ${count(r.sample.target)}`],
    !withheld && r.state === "running" && ["Power now", html`${pct(r.power)} <small>for what the sample is made for</small>`],
    r.state !== "running" && ["Serves now", r.winner ?? r.arms[0].arm], ["Traffic", e.phases.at(-1).shares.map((s) => pct(s)).join(" / ")]]} />`;
  const [first, ...rest] = r.outcome?.startsWith("invalid") ? sentence.split(": no verdict; ") : r.outcome && r.outcome !== "stopped_harm" ? sentence.split("; ") : [sentence];
  return html`<${Verdict} ...${{ state, label: early ? "Too early to say" : label, sentence: rest.length ? `${first}.` : first, note: html`${rest.length > 0 && `${rest.join("; ").replace(/^./, (c) => c.toUpperCase()).replace(/([^.])$/, "$1.")} `}${note}`, aside }} />`;
}

/** While it runs: the range, and that looking does no harm. */
function soFar(r, m) {
  if (!m || m.low === null || m.high === null) return "No interval yet: an arm is looked at from 30 users on whose requests and feedback are complete.";
  const { low, high } = figures(m), { name, unit } = METRICS[m.name];
  return html`${name}: between <b>${signed(low, 1)}${unit}</b> and <b>${signed(high, 1)}${unit}</b> so far. Look as often as you like: this interval allows for it. A plain p (${p(r.p_value)} now) does not.`;
}

function Effects({ r, arm, control, test, of }) {
  const mine = r.metrics.filter((m) => m.arm === arm), row = (m) => {
    const { name, unit, show } = METRICS[m.name], role = m.primary ? "primary · " : m.guardrail ? "guardrail · " : "";
    return { name, unit, ...figures(m), about: `${role}${m.better} is better`, control: show(m.control), test: show(m.test), reading: m.reading, strong: m.primary };
  };
  const rowsOf = (is) => mine.filter(is).map(row), guards = rowsOf((m) => m.guardrail), primary = rowsOf((m) => m.primary), apart = ["cost", "latency"].includes(r.primary_metric); // their scale would hide the margins
  const groups = [{ rows: apart ? primary : [...primary, ...guards] }, { title: "Guardrails", rows: apart ? guards : [] }, { title: "Watched, not decisive", rows: rowsOf((m) => !m.primary && !m.guardrail) }];
  const rows = () => groups.flatMap((g) => g.rows).map((m) => [m.name, m.control, m.test, ...["value", "low", "high", "margin"].map((f) => ({ show: m[f] === null ? NONE : `${signed(m[f], 2)}${m.unit}`, value: m[f] })), m.says]);
  return html`<${Panel} title="Effect of ${arm} against ${control.arm}" unit="shares in points, else in per cent; colour says good or bad, not up or down" of=${of} name="effects" table=${() => ({ head: ["Metric", `>${control.arm}`, `>${arm}`, ">Change", ">Low", ">High", ">Margin", "Reading"], rows: rows() })}>
    ${() => html`<${ForestPlot} groups=${groups} heads=${[control.strategy, test.strategy]} confidence=${pct(1 - r.alpha).replace(".0", "")} />`}</${Panel}>`;
}

function Course({ r, arm, of }) {
  const m = METRICS[r.primary_metric], k = m.scale, by = (v) => (v === null ? null : k * v), primary = r.metrics.find((q) => q.primary && q.arm === arm);
  const looks = r.series.difference.filter((l) => l.arm === arm), crossed = looks.find((l) => l.p_value_always_valid < r.boundary.early);
  const early = looks.find((l) => l.p_value < r.alpha), back = early && looks.find((l) => l.units > early.units && l.p_value >= r.alpha);
  const events = r.decision ? [{ n: r.decision.units, text: `${count(r.decision.units)} users: decided` }] : [], cleared = crossed && ` It did at ${count(crossed.units)} users.`;
  const points = looks.map((l) => ({ n: l.units, value: by(l.value), low: by(l.low), high: by(l.high) })), boundary = r.series.boundary.filter((b) => b.arm === arm).map((b) => ({ n: b.units, low: by(b.low), high: by(b.high) }));
  const plain = early && early !== crossed && ` A plain p below ${r.alpha} would have called it at ${count(early.units)} users${back ? `, and taken it back at ${count(back.units)}` : ""} (ring).`;
  const table = () => ({ head: [">Users", "Time", ">Difference", ">Low", ">High", ">Always-valid p", ">Plain p"], rows: looks.map((l) => [{ show: count(l.units), value: l.units }, { show: clock(at(l.at)), value: l.at },
    ...["value", "low", "high"].map((f) => ({ show: signed(by(l[f]), 2), value: by(l[f]) })), { show: p(l.p_value_always_valid), value: l.p_value_always_valid }, { show: p(l.p_value), value: l.p_value }]) });
  return html`<${Panel} title="How ${r.decision ? "the decision was reached" : "it goes"}" unit="difference in ${m.name.toLowerCase()}, ${m.axis}" of=${of} name="sequence" table=${looks.length ? table : undefined}
    note=${looks.length ? `The band is the ${pct(1 - r.alpha).replace(".0", "")} interval, valid at every look. A winner is called when the line clears the dashed boundary and every guardrail holds.${cleared || ""}${plain || ""}` : undefined}>
    ${() => (looks.length ? html`<${ConfidenceSequence} ...${{ points, target: r.sample.target, unit: m.axis, boundary, bad: primary?.better === "lower" ? 1 : -1, mood: primary?.reading === "worse" ? "bad" : "good",
      decided: crossed ? crossed.units : Infinity, early: early && early !== crossed ? { n: early.units, value: by(early.value) } : undefined,
      events }} />` : html`<p class="note nm">No look yet: the first is taken when a hundredth of the sample has matured.</p>`)}</${Panel}>`;
}

function Far({ e, r, withheld }) {
  const m = METRICS[r.primary_metric], found = r.mde === null ? null : m.points ? `${number(100 * r.mde, 2)} points` : r.primary_metric === "cost" ? `${money(r.mde)} a request` : m.show(r.mde);
  const planned = e.planned_sample_size && ` It was extended from ${count(e.planned_sample_size)}: only what holds at all looks decides now.`;
  return html`<${Panel} title="Progress" unit="${count(r.sample.users)} entered" note=${withheld ? undefined : `${found ? `With these users the test can tell ${found} from nothing, four times in five.` : "Nobody has matured yet: their requests and feedback are still coming."}${planned || ""}`}>
    <${Progress} n=${r.sample.matured} target=${r.sample.target} what="matured" at=${r.decision ? { n: r.decision.units, text: `decided ${count(r.decision.units)}`, good: r.outcome === "win" } : undefined} /></${Panel}>`;
}

function SplitPanel({ r, withheld }) {
  const shown = r.srm.split.length > 2 ? r.srm.split : r.srm.split.slice(0, 1), word = withheld ? html`<span class="bad">broken</span>` : html`<span class="good">as planned</span>`;
  return html`<${Panel} title="Split" unit=${word} note=${`${r.srm.split.map((s) => `${s.arm} ${count(s.users)}`).join(", ")}; p ${p(r.srm.p_value)}. ${withheld ? "Chance alone hardly does this." : "Below p 0.001 no verdict would be shown."}`}>
    ${shown.map((s) => html`<${Split} key=${s.arm} ...${{ arm: s.arm, share: 100 * s.share, planned: 100 * s.expected, low: 100 * s.low, high: 100 * s.high, ok: s.share >= s.low && s.share <= s.high }} />`)}</${Panel}>`;
}

function Arrivals({ r, of }) {
  const { exposures: list, step_ms: step } = r.series, arms = r.arms.map((a) => a.arm);
  const table = () => ({ head: ["Until", ...arms.map((a) => `>${a}`)], rows: list.map((x) => [{ show: clock(at(x.at)), value: x.at }, ...arms.map((a) => ({ show: count(x.by_arm[a]), value: x.by_arm[a] }))]) });
  return html`<${Panel} title="Entered" unit="users, cumulative" of=${of} name="entered" table=${list.length ? table : undefined}>${() => (list.length ? html`<${Entered} ...${{ arms, step, points: list.map((x) => ({ t: at(x.at), by: arms.map((a) => x.by_arm[a] ?? 0) })) }} />`
    : html`<p class="note nm">Nobody yet: requests enter by their <span class="mono">experiment_id</span>.</p>`)}</${Panel}>`;
}

function Arms({ r, of }) {
  const digits = moneyDigits(r.arms.map((a) => a.avg_cost_usd)), part = (n, all) => ({ show: html`${all ? pct(n / all) : NONE} <small>${count(n)}</small>`, value: n }), ms = (q) => ({ show: q ? duration(q.value) : NONE, value: q?.value });
  const table = () => ({ head: ["Arm", ">Users", ">Requests", ">Good answers", ">Rated", ">Fell back", ">Cached", ">Cost, total", ">per request", ">Latency p50", ">p95"], rows: r.arms.map((a, i) => ({ key: a.arm, cells: [
    { show: html`${a.arm} <small>${a.strategy}${i || a.arm === "control" ? "" : ", control"}</small>`, value: a.arm }, { show: count(a.users), value: a.users }, { show: count(a.requests), value: a.requests },
    part(a.good, a.requests), part(a.rated, a.requests), part(a.fell_back, a.requests), part(a.cached, a.requests), { show: money(a.cost_usd), value: a.cost_usd }, { show: money(a.avg_cost_usd, digits), value: a.avg_cost_usd }, ms(a.latency_p50_ms), ms(a.latency_p95_ms)] })) });
  return html`<${Panel} title="Arms" unit="everyone assigned is counted, fallbacks and failures included" acts=${html`<${Button} kind="icon" icon="save" label="Export arms as CSV" onClick=${() => saveCSV("arms", ...forExport(table()))} />`} of=${of}>
    ${() => html`<${Table} ...${table()} cls="arms" caption="Arms" />`}</${Panel}>`;
}

function Guardrails({ r, arm }) {
  const checks = r.metrics.filter((m) => m.guardrail && m.arm === arm).map((m) => {
    const f = figures(m), unit = METRICS[m.name].unit;
    return { ok: m.ok || (m.reading === "worse" ? false : null), name: METRICS[m.name].name, about: f.worst === null ? "not measured" : `worst case ${signed(f.worst, 2)}${unit}, margin ${signed(f.margin, 1)}${unit}`, since: m.holds_since ? `holds since ${clock(at(m.holds_since))}` : m.reading === "worse" ? "worse" : "not shown yet" };
  });
  return html`<${Panel} title="Guardrails" unit="all must hold">${checks.length ? html`<${CheckList} checks=${checks} />` : html`<p class="note nm">None: their margins are 1.</p>`}</${Panel}>`;
}

function Method({ e, r, arm }) {
  const reduced = r.metrics.find((m) => m.arm === arm && m.variance_reduced !== null);
  return html`<${Panel} title="Method, and what could spoil it"><${KeyValues} rows=${[
    ["Unit", `${r.unit}, by SHA-256 of salt and id`], ["Test", html`${r.method} <small>α ${r.boundary.early} early${r.boundary.final ? `, ${r.boundary.final} final` : ""}</small>`],
    ["Arms compared", r.arms.length > 2 ? `${r.arms.length - 1}, by Holm’s correction` : "1, so no correction"],
    ["Windows", `observed ${e.observation}, feedback ${e.feedback_window}, at least ${e.min_duration}, at most ${e.max_duration}`],
    e.slow_us > 0 && ["Slow is more than", duration(e.slow_us / 1000)], reduced && ["Variance taken out by the week before", pct(reduced.variance_reduced)],
    ["Design effect", r.arms.map((a) => number(a.design_effect, 2)).join(" / ")], e.phases.length > 1 && ["Shares changed", e.phases.slice(1).map((f) => clock(at(f.from))).join(", ")],
    ["Seen in more than one arm", r.sample.strays ? html`<span class="warn">${plural(r.sample.strays, "user")}</span>` : "nobody"], ["Known too late to count", count(r.sample.late)]]} /></${Panel}>`;
}

const KINDS = { complexity: "Complexity", users: "Users", key: "Key", confidence: "Confidence", cache: "Cache" };

function Segments({ r, arm, of }) {
  const m = METRICS[r.primary_metric], by = (v) => (v === null || v === undefined ? null : 100 * v), mine = r.segments.filter((s) => s.arm === arm);
  const change = (s) => { const d = m.points ? s.difference : { value: s.lift, low: s.low, high: s.high }; return s.effect ? html`${signed(by(d.value), 1)}${m.unit} <small>${signed(by(d.low), 1)} to ${signed(by(d.high), 1)}</small>` : NONE; };
  const reading = (s) => (s.reading === "better" || s.reading === "worse" ? html`<span class=${s.reading === "better" ? "good" : "bad"}>${m[s.reading]}</span>` : s.effect ? "not decided" : html`<span class="t">not compared: the arms’ own making</span>`);
  return html`<${Panel} title="Segments" unit=${html`<${Tag} mood="warn">exploratory</${Tag}>`} of=${of} note="For looking around: no verdict depends on it, and a new experiment is what a find here is good for. Intervals hold in all segments together.">
    ${() => html`<${Table} cls="nowrap" caption="Segments" head=${["By", "Segment", "Reading", ">Users", `>${r.arms[0].arm}`, `>${arm}`, ">Change"]} rows=${mine.map((s) => [KINDS[s.by] ?? s.by, s.value, reading(s), `${count(s.users.control)} / ${count(s.users.test)}`, s.users.control ? m.show(s.control) : NONE, s.users.test ? m.show(s.test) : NONE, change(s)])} />`}</${Panel}>`;
}

function Deliveries({ path }) {
  const told = useData(`${path}/deliveries`, { every: 15_000 }), moods = { delivered: "good", failed: "bad" };
  return html`<${Panel} title="Webhook" of=${told} height=${60}>${() => (told.data.deliveries.length ? told.data.deliveries.map((d) => html`<div key=${d.id}><p class="note nm"><${Tag} mood=${moods[d.state] ?? "warn"}>${d.state}</${Tag}> ${d.type} to <span class="mono">${d.url}</span>${d.next_at && `, next try ${clock(at(d.next_at))}`}</p>
    <${Table} caption="Attempts" head=${[">Attempt", "Time", "Answer", ">Took"]} rows=${d.attempts.map((a) => [String(a.number), clock(at(a.at)), a.error ? html`${a.status} <span class="bad">${a.error}</span>` : a.status, duration(a.took_ms)])} nothing="Not tried yet." /></div>`)
    : html`<p class="note nm">Nothing to tell yet: it is told when the experiment has ended.</p>`)}</${Panel}>`;
}
