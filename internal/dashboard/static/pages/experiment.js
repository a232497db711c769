// One experiment: the verdict in a sentence, then what it was reached from. A
// broken split withholds every effect.

import { ConfidenceSequence, Entered, ForestPlot, Progress, Split } from "../charts/experiment.js";
import { client } from "../core/client.js";
import { useData } from "../core/data.js";
import { save } from "../core/export.js";
import { NONE, age, capital, clock, count, date, duration, fullStop, money, moneyDigits, number, plural, signed, when } from "../core/format.js";
import { html, useEffect } from "../core/html.js";
import { to } from "../core/router.js";
import { Button, Menu, Segmented, Tag, chosen } from "../parts/controls.js";
import { CheckList, EventLine, KeyValues, Verdict } from "../parts/figures.js";
import { Icon } from "../parts/icons.js";
import { Panel } from "../parts/panel.js";
import { PageHead } from "../parts/shell.js";
import { mention } from "../parts/speech.js";
import { AsOf, Failure, Still } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { Actions } from "./experiment-actions.js";
import { METRICS, RULES, figures, inPoints, pct, spoken, standing } from "./experiment-words.js";

const FEW = 30; // users of an arm, of whom nothing is said
const at = Date.parse, p = (v) => (v < 0.001 ? "< 0.001" : number(v, 3)), cell = (value, show = count) => ({ show: show(value), value });
const say = (text) => html`<p class="note nm">${text}</p>`;

export function ExperimentPage({ id }) {
  const path = `experiments/${encodeURIComponent(id)}`, record = useData(path, { every: 10_000 }), known = record.data, ended = known && known.state !== "running";
  const results = useData(`${path}/results`, { every: ended ? 0 : 3000 }), r = results.data;
  const e = known ?? (record.problem && r && { state: r.state, phases: [{ shares: r.arms.map((a) => a.share) }] }); // while PostgreSQL is away
  useEffect(() => { if (r) mention(r.verdict); });
  const crumb = html`<a href=${to("/experiments")}>Experiments</a><${Icon} name="right" /><span class="mono">${id}</span>`;
  if (!e || !r) {
    return html`<${PageHead} title=${known?.name ?? "Experiment"} crumb=${crumb} />${results.problem ? html`<${Failure} ...${results} />` : html`<${Still} height=${340} />`}`;
  }
  const tests = r.arms.slice(1).map((a) => [a.arm, a.arm]), arm = chosen("arm", tests, tests.some(([name]) => name === r.winner) ? r.winner : undefined);
  const withheld = !r.srm.ok || r.outcome === "invalid_srm", mine = r.metrics.filter((m) => m.arm === arm);
  const x = { e, r, path, arm, mine, withheld, primary: mine.find((m) => m.primary) };
  const changed = () => {
    record.retry();
    results.retry();
  };
  return html`<${PageHead} title=${r.name} sub=${html`<${Since} ...${{ e, r, results }} />`} crumb=${crumb}>
      ${tests.length > 1 && html`<${Segmented} name="arm" label="Arm" options=${tests} value=${arm} />`}
      <${Menu} text="Export" icon="save">${["csv", "json"].map((type) => html`<${Button} key=${type} kind="quiet" onClick=${() => keep(x, type)}>${type.toUpperCase()}</${Button}>`)}</${Menu}>
      ${known && html`<${Actions} ...${{ e, changed }} />`}</${PageHead}>
    <${Hero} ...${x} /><div class="grid gap">${withheld ? withheldPanels(x) : panels(x)}</div>`;
}

function Since({ e, r, results }) {
  const of = { ...results, data: { ...r, stale: r.degraded.includes("postgres") } }, from = at(r.started_at), until = e.ended_at ? at(e.ended_at) : Date.now();
  return html`${(of.data.stale || !e.ended_at) && html`<${AsOf} of=${of} />`}
    <span class="sub">since ${clock(from)}, ${`${e.ended_at ? "for" : "by now"} ${age(until - from)}${e.archived_at ? ", archived" : ""}`}</span>`;
}

const across = (columns, x, ...drawn) => drawn.map((P) => html`<div class=${columns}><${P} ...${x} /></div>`);

const panels = (x) => [across("c12", x, Effects), across("c8", x, Course), html`<div class="c4 stack"><${Far} ...${x} /><${SplitPanel} ...${x} /><${Arrivals} ...${x} /></div>`,
  across("c12", x, Arms), across("c6", x, Guardrails, Method), x.r.segments.some((s) => s.effect) && across("c12", x, Segments), records(x)];

/** What may be shown where the split is broken. */
const withheldPanels = (x) => [across("c4", x, SplitPanel, Far, Arrivals), across("c12", x, Arms), across("c6", x, Method), records(x)];

const records = (x) => [x.e.notify_url && across("c6", x, Deliveries), across("c6", x, Acts)];

/** The results as the API writes them, as a file. */
async function keep({ path, r }, type) {
  const answer = await client.open(`${path}/results`, { headers: { Accept: type === "csv" ? "text/csv" : "*/*" } });
  save(`${r.name.replace(/[^\w.-]+/g, "-")}.${type}`, await answer.blob());
}

function Hero({ e, r, primary, withheld }) {
  const { decision: d, sample } = r, running = r.state === "running", early = running && r.arms.some((a) => a.users < FEW);
  const [state, , label] = withheld ? standing({ outcome: "invalid_srm" }) : standing(r), [first, rest] = sentences(r, withheld);
  const rule = d && `Decided at look ${count(new Set(r.series.difference.map((l) => l.units)).size)}, at ${count(d.units)} of ${count(sample.target)} users: ${RULES[d.reason] ?? d.reason}.`;
  const note = withheld ? "Effects are not shown. Likely causes: failures of one arm leave no record, or clients keep to an arm." : running ? soFar(r, primary) : rule;
  return html`<${Verdict} ...${{ state, label: early && !withheld ? "Too early to say" : label, sentence: first, note: html`${rest && `${rest} `}${note}` }}
    aside=${html`<${KeyValues} rows=${beside({ e, r, withheld, running })} />`} />`;
}

/** The verdict as what is said large, and what stands below. */
function sentences(r, withheld) {
  const { outcome, srm } = r, broken = srm.split.toSorted((a, b) => Math.abs(b.share - b.expected) - Math.abs(a.share - a.expected))[0];
  const verdict = withheld && !outcome ? `${broken.arm} has ${pct(broken.share)} of the users, where ${pct(broken.expected)} was planned, so nothing that is compared can be trusted: no verdict; look for what loses or moves them` : r.verdict;
  const cut = withheld || outcome?.startsWith("invalid") ? ": no verdict; " : outcome && outcome !== "stopped_harm" ? "; " : null;
  const [first, ...rest] = cut ? verdict.split(cut) : [verdict], spaced = (s) => s.replaceAll(" %", "\u202f%");
  return rest.length ? [`${spaced(first)}.`, capital(fullStop(spaced(rest.join("; "))))] : [spaced(first), ""];
}

function beside({ e, r, withheld, running }) {
  const { decision: d, outcome, sample } = r, end = r.projected_end ? html`${when(at(r.projected_end))} <small>at this pace</small>` : NONE;
  return [
    d ? ["Decided", `${date(at(d.at))}, ${clock(at(d.at))}`] : running && ["Full sample", end],
    !withheld && ["Always-valid p", html`${p(r.p_value_always_valid)} <small>of α ${r.boundary.early}</small>`],
    ["win", "lose"].includes(outcome) && d.early && ["Users not needed", `${count(sample.target - d.units)} of ${count(sample.target)}`],
    !withheld && running && ["Power now", html`${pct(r.power)} <small>of 80\u202f% with all users</small>`],
    !running && ["Serves now", r.winner ?? r.arms[0].arm],
    ["Shares", e.phases.at(-1).shares.map(pct).join(" / ")],
  ];
}

/** While it runs: the range, and that looking does no harm. */
function soFar(r, m) {
  if (!m || m.low === null || m.high === null) return `No interval yet: it takes ${FEW} users of each arm who have matured.`;
  const { low, high } = figures(m), { name, unit } = METRICS[m.name];
  return html`${name}: between <b>${signed(low, 1)}${unit}</b> and <b>${signed(high, 1)}${unit}</b> so far. Look as often as you like: this interval allows for it; a plain p, ${p(r.p_value)} now, does not.`;
}

function Effects({ r, arm, mine }) {
  const role = (m) => (m.primary ? "primary · " : m.guardrail ? "guardrail · " : "");
  const rowsOf = (is) => mine.filter(is).map((m) => {
    const { show } = METRICS[m.name];
    return { ...METRICS[m.name], ...figures(m), reading: m.reading, strong: m.primary, about: `${role(m)}${m.better} is better`, control: show(m.control), test: show(m.test) };
  });
  const guards = rowsOf((m) => m.guardrail), primary = rowsOf((m) => m.primary), apart = !inPoints(r.primary_metric); // its scale would hide their margins
  const groups = [{ rows: apart ? primary : [...primary, ...guards] }, { title: "Guardrails", rows: apart ? guards : [] },
    { title: "Watched, not decisive", rows: rowsOf((m) => !m.primary && !m.guardrail) }];
  const table = () => ({ head: ["Metric", ">Control", ">Test", ">Change", ">Low", ">High", ">Margin", "Unit", "Reading"],
    rows: groups.flatMap((g) => g.rows).map((m) => [m.name, m.control, m.test, ...["value", "low", "high", "margin"].map((f) => cell(m[f], (v) => signed(v, 2))), m.unit, m.says]) });
  const heads = [r.arms[0], r.arms.find((a) => a.arm === arm)].map((a) => a.strategy);
  return html`<${Panel} title="Effect of ${arm} against ${r.arms[0].arm}" unit="shares in points, else per cent; colour says good or bad, not up or down" name="effects" table=${table}>
    ${r.sample.matured === 0 ? say("Nobody has matured yet.") : html`<${ForestPlot} ...${{ groups, heads }} confidence=${pct(1 - r.alpha)} />`}</${Panel}>`;
}

/** An arm's looks, in the unit of the axis. */
function looksOf(list, arm, scale) {
  const by = (v) => (v === null ? null : scale * v);
  return list.filter((l) => l.arm === arm).map((l) => ({ ...l, n: l.units, value: by(l.value), low: by(l.low), high: by(l.high) }));
}

function Course({ r, arm, primary }) {
  const { name, axis, scale } = METRICS[r.primary_metric], points = looksOf(r.series.difference, arm, scale), drawn = points.some((l) => l.low !== null && l.high !== null);
  const crossed = points.find((l) => l.p_value_always_valid < r.boundary.early), early = points.find((l) => l.p_value < r.alpha && l !== crossed);
  const events = r.decision ? [{ n: r.decision.units, text: `${count(r.decision.units)} users: decided` }] : [];
  const table = () => ({ head: [">Users", "Time", ">Difference", ">Low", ">High", ">Always-valid p", ">Plain p"],
    rows: points.map((l) => [cell(l.n), cell(l.at, (t) => clock(at(t))), ...["value", "low", "high"].map((f) => cell(l[f], (v) => signed(v, 2))), cell(l.p_value_always_valid, p), cell(l.p_value, p)]) });
  return html`<${Panel} title=${r.decision ? "How the decision was reached" : "How it goes"} unit="difference in ${name.toLowerCase()}, ${axis}" name="sequence"
      table=${drawn ? table : undefined} note=${drawn ? courseNote({ r, points, crossed, early }) : undefined}>
    ${drawn ? html`<${ConfidenceSequence} ...${{ points, target: r.sample.target, unit: axis, early, events, decided: crossed?.n ?? Infinity }} boundary=${looksOf(r.series.boundary, arm, scale)}
        bad=${primary?.better === "lower" ? 1 : -1} mood=${primary?.reading === "worse" ? "bad" : "good"} />`
      : say("There is no interval yet. A look is taken at each hundredth of the sample.")}</${Panel}>`;
}

function courseNote({ r, points, crossed, early }) {
  const back = early && points.find((l) => l.n > early.n && l.p_value >= r.alpha);
  return [`The band is the ${pct(1 - r.alpha)} interval, valid at every look. A winner is called when the line clears the dashed boundary and every guardrail holds.`,
    points.at(-1).n < r.sample.matured && `The last look was at ${count(points.at(-1).n)} users.`,
    crossed && `It did at ${count(crossed.n)} users.`,
    early && `A plain p below ${r.alpha} would have called it at ${count(early.n)} (ring)${back ? `, and taken it back at ${count(back.n)}` : ""}.`].filter(Boolean).join(" ");
}

function Far({ e, r, withheld }) {
  const { mde, primary_metric: m, sample, decision: d } = r, found = mde && (inPoints(m) ? `${number(100 * mde, 2)} points` : METRICS[m].show(mde));
  const note = `${found ? `These users tell ${found} from nothing, four times in five.` : "Nobody has matured: requests and feedback are still coming."}${
    e.planned_sample_size ? ` Extended from ${count(e.planned_sample_size)}: only what holds at all looks decides.` : ""}`;
  const decided = d ? { n: d.units, text: `decided ${count(d.units)}`, good: r.outcome === "win" } : undefined;
  return html`<${Panel} title="Progress" unit="${count(sample.users)} entered" name="progress" table=${() => ({ head: ["Users", ">Number"], rows: [["Entered", cell(sample.users)], ["Matured", cell(sample.matured)], ["Planned", cell(sample.target)]] })} note=${withheld ? undefined : note}>
    <${Progress} n=${sample.matured} target=${sample.target} what="matured" at=${decided} /></${Panel}>`;
}

function SplitPanel({ r, withheld }) {
  const { split, p_value: value } = r.srm, arms = split.length > 2 ? split : split.slice(0, 1), any = r.sample.users > 0;
  const how = any && html`<span class=${withheld ? "bad" : "good"}>${withheld ? "broken" : "as planned"}</span>`;
  const note = `${split.map((s) => `${s.arm} ${count(s.users)}`).join(", ")}; p ${p(value)}. ${withheld ? "Chance alone hardly does this." : "Below 0.001 no verdict would be shown."}`;
  const table = () => ({ head: ["Arm", ">Users", ">Share", ">Planned", ">Low", ">High"], rows: split.map((s) => [s.arm, cell(s.users), ...["share", "expected", "low", "high"].map((f) => cell(s[f], pct))]) });
  return html`<${Panel} title="Split" unit=${how} note=${note} name="split" table=${any ? table : undefined}>
    ${any && arms.map((s) => html`<${Split} key=${s.arm} arm=${s.arm} share=${100 * s.share} planned=${100 * s.expected} low=${100 * s.low} high=${100 * s.high}
      ok=${s.share >= s.low && s.share <= s.high} />`)}</${Panel}>`;
}

function Arrivals({ r }) {
  const { exposures, step_ms: step } = r.series, arms = r.arms.map((a) => a.arm), points = exposures.map((x) => ({ t: at(x.at), by: arms.map((a) => x.by_arm[a] ?? 0) }));
  const table = () => ({ head: ["Until", ...arms.map((a) => `>${a}`)], rows: points.map((x) => [cell(x.t, clock), ...x.by.map((n) => cell(n))]) }), any = points.length > 0;
  return html`<${Panel} title="Entered" unit="users, cumulative" name="entered" table=${any ? table : undefined}>
    ${any ? html`<${Entered} ...${{ arms, points }} from=${Math.max(at(r.started_at), points[0].t - step)} />` : say("Nobody yet: requests enter by their experiment_id.")}</${Panel}>`;
}

function Arms({ r }) {
  const digits = moneyDigits(r.arms.map((a) => a.avg_cost_usd)), part = (n, all) => html`${all ? pct(n / all) : NONE} <small>${count(n)}</small>`, ms = (q) => (q ? duration(q.value) : NONE);
  const rows = r.arms.map((a) => [html`${a.arm} <small>${a.strategy}</small>`, count(a.users), count(a.requests), ...["good", "rated", "fell_back", "cached"].map((f) => part(a[f], a.requests)),
    money(a.cost_usd), money(a.avg_cost_usd, digits), ms(a.latency_p50_ms), ms(a.latency_p95_ms)]);
  return html`<${Panel} title="Arms" unit="all who were assigned, fallbacks and failures too; the first is the control">
    <${Table} cls="arms" caption="Arms" rows=${rows}
      head=${["Arm", ">Users", ">Requests", ">Good answers", ">Rated", ">Fell back", ">Cached", ">Cost, total", ">per request", ">Latency p50", ">p95"]} widths=${[150, 70, 84, 116, 100, 90, 90, 96, 96, 96, 84]} /></${Panel}>`;
}

function Guardrails({ mine }) {
  const checks = mine.filter((m) => m.guardrail).map((m) => {
    const { worst, margin } = figures(m), { name, unit } = METRICS[m.name], worse = m.reading === "worse";
    return { name, ok: m.ok || (worse ? false : null), about: worst === null ? "not measured" : `worst case ${signed(worst, 2)}${unit}, margin ${signed(margin, 1)}${unit}`,
      since: m.holds_since ? `holds since ${clock(at(m.holds_since))}` : worse ? "worse" : "not shown" };
  });
  return html`<${Panel} title="Guardrails" unit="all must hold">${checks.length ? html`<${CheckList} checks=${checks} />` : say("None: all margins are 1.")}</${Panel}>`;
}

function Method({ e, r, mine }) {
  const reduced = mine.find((m) => m.variance_reduced !== null), { early, final } = r.boundary;
  const test = html`${r.method}${r.arms.length > 2 && ", Holm’s correction"} <small>α ${early} early${final > 0 && `, ${final} final`}</small>`;
  return html`<${Panel} title="Method, and what could spoil it"><${KeyValues} rows=${[
    ["Test", test],
    e.observation && ["Windows", `observed ${spoken(e.observation)}, then feedback ${spoken(e.feedback_window)}`],
    e.min_duration && ["It lasts", `${spoken(e.min_duration)} to ${spoken(e.max_duration)}`],
    e.slow_us > 0 && ["Slow is more than", duration(e.slow_us / 1000)],
    reduced && ["Variance taken out", pct(reduced.variance_reduced)],
    ["Design effect", r.arms.map((a) => number(a.design_effect, 2)).join(" / ")],
    ["Seen in more than one arm", r.sample.strays ? html`<span class="warn">${plural(r.sample.strays, r.unit)}</span>` : "none"],
    ["Known too late to count", count(r.sample.late)],
  ]} /></${Panel}>`;
}

/** By what was settled before an arm answered; by the rest, different people would be compared. */
function Segments({ r, arm }) {
  const m = METRICS[r.primary_metric], points = inPoints(r.primary_metric), by = (v) => signed(v === null ? null : 100 * v, 1);
  const reading = (s) => (m[s.reading] ? html`<span class=${s.reading === "better" ? "good" : "bad"}>${m[s.reading]}</span>` : "Not decided");
  const effect = ({ value, low, high }) => html`${by(value)}${m.unit} <small>${low === null ? "no interval" : `${by(low)} to ${by(high)}`}</small>`;
  const rows = r.segments.filter((s) => s.arm === arm && s.effect).map((s) => [capital(s.by), s.value, reading(s), `${count(s.users.control)} / ${count(s.users.test)}`,
    m.show(s.control), m.show(s.test), effect(points ? s.difference : { ...s, value: s.lift })]);
  return html`<${Panel} title="Segments" unit=${html`<${Tag} mood="warn">exploratory</${Tag}>`} note="For looking around: no verdict depends on it. Intervals hold in all segments together.">
    <${Table} cls="nowrap" caption="Segments" head=${["By", "Segment", "Reading", ">Users", ">Control", ">Test", ">Change"]} widths=${[110, 120, 120, 110, 80, 80, 200]} rows=${rows} /></${Panel}>`;
}

const DELIVERED = { delivered: "good", failed: "bad" };

function Deliveries({ path }) {
  const told = useData(`${path}/deliveries`, { every: 15_000 });
  return html`<${Panel} title="Webhook" of=${told} height=${60}>${() => (told.data.deliveries.length ? told.data.deliveries.map((d) => html`<${Delivery} key=${d.id} d=${d} />`)
    : say("It is told when the experiment has ended."))}</${Panel}>`;
}

const Delivery = ({ d }) => html`<p class="note nm"><${Tag} mood=${DELIVERED[d.state] ?? "warn"}>${d.state}</${Tag}> ${d.type} to <span class="mono">${d.url}</span>${d.next_at && `, next try ${clock(at(d.next_at))}`}</p>
  <${Table} caption="Attempts" head=${["Attempt", "Time", "Answer", ">Took"]}
    rows=${d.attempts.map((a) => [String(a.number), clock(at(a.at)), html`${a.status} <span class="bad">${a.error}</span>`, duration(a.took_ms)])} />`;

/** Who did what with it, for those who may know. */
function Acts({ e }) {
  const acts = useData("audit?limit=500", { every: 60_000 }), mine = acts.data?.acts.filter((a) => a.subject === e.id);
  if (!mine?.length) return null;
  const text = (a) => html`${capital(a.action.replace("experiment.", ""))} <span class="q">by ${a.by || (a.action.endsWith("decide") ? "busu itself" : "nobody with a key")}${a.detail?.note && `: ${a.detail.note}`}</span>`;
  return html`<${Panel} title="Who did what"><${EventLine} events=${mine.map((a, i) => ({ key: i, at: at(a.at), text: text(a) }))} /></${Panel}>`;
}
