// What is proven, beside what is modelled: solid up to the lower bound, pale
// across the interval, an ink tick at the estimate; hatch is arithmetic.

import { capital, dollars, money, moneyDigits, percent, percentage, signed } from "../core/format.js";
import { html } from "../core/html.js";
import { Chart, circle, line, linear, path, rect, text, ticks } from "./draw.js";

const pct = (n) => percent(percentage(n));
const isProven = (savings) => savings.proven.state === "proven";

/** The saving in one bar, of the baseline's cost: proven, or modelled while it is not. */
export function ProvenBar({ savings }) {
  const { value, low, high } = savings.proven.savings_pct, modelled = savings.modelled.savings_pct;
  const proven = isProven(savings);
  const label = proven ? `Proven saving ${pct(value)} of the baseline cost, interval ${pct(low)} to ${pct(high)}` : modelled === null ? "No cost is known yet" : `Modelled saving ${pct(modelled)} of the baseline cost, not proven`;
  const draw = (width) => {
    const x = linear(0, 100, 0, width), at = (v) => x(Math.max(0, Math.min(100, v)));
    if (!proven) return [rect(0, 4, width, 12, "fs"), modelled > 0 && [rect(0, 4, at(modelled), 12, "hatch"), rect(0.5, 4.5, at(modelled) - 1, 11, "out")]];
    return [rect(0, 4, width, 12, "fs"), rect(0, 4, at(low), 12, "fg"), rect(at(low), 4, at(high) - at(low), 12, "fgs"), rect(at(value) - 1, 0, 2, 20, "fi")];
  };
  return html`<${Chart} ...${{ height: 20, label, draw }} />`;
}

/** Both as a table: what is proven, or measured so far, with its interval, and what is modelled. */
export function savingTable({ proven: { savings_pct: p, state }, modelled }) {
  const row = (name, v) => [name, { show: percent(percentage(v)), value: v ?? "" }];
  return { head: ["Saving of the baseline cost", ">Per cent"], rows: [row(state === "proven" ? "Proven" : "Measured", p.value), row("At least", p.low), row("At most", p.high), row("Modelled", modelled.savings_pct)] };
}

/** Proven above modelled on one scale, per cent of what the baseline costs. */
export function SavingRuler({ savings }) {
  const { value, low, high } = savings.proven.savings_pct, modelled = savings.modelled.savings_pct;
  const least = Math.min(0, low ?? 0, modelled ?? 0), from = Math.max(-100, 20 * Math.floor(least / 20));
  const label = `Saving in per cent of the baseline cost. Proven: ${low === null ? "not known yet" : `${pct(value)}, interval ${pct(low)} to ${pct(high)}`}. Modelled: ${modelled === null ? "not known" : pct(modelled)}.`;
  const draw = (width, narrow) => {
    const x = linear(from, 100, 0, width - 10), at = (v) => x(Math.max(from, Math.min(100, v)));
    const ay = 138, marks = [line(x(from), ay, x(100), ay, "gr")];
    for (const v of ticks(from, 100, narrow ? 4 : 8)) marks.push(line(x(v), ay, x(v), ay + 5, "zero"),
      text(x(v), ay + 19, v === 0 ? "0" : v === 100 ? pct(100).replace(".0", "") : signed(v).replace("+", ""), `ax ${v === from ? "" : v === 100 ? "e" : "m"}`));
    marks.push(text(0, 32, "Proven", "lb b l13"), text(x(100), 32, narrow ? "baseline" : "the baseline’s cost", "lb2 e"), rect(at(0), 44, x(100) - at(0), 30, "fs"));
    if (low !== null) marks.push(...provenMarks(at, { value, low, high }, isProven(savings)));
    else marks.push(text(12, 64, "not enough users yet", "lb2"));
    if (modelled !== null) {
      const [a, b] = [at(Math.min(0, modelled)), at(Math.max(0, modelled))];
      marks.push(text(0, 100, "Modelled", "lb2 l13"), text(Math.max(at(modelled), narrow ? 110 : 120), 100, pct(modelled), "lb2 l13 e"),
        rect(at(0), 108, x(100) - at(0), 14, "fs"), rect(a, 108, b - a, 14, "hatch"), rect(a + 0.5, 108.5, b - a - 1, 13, "out"));
    }
    if (from < 0) marks.push(line(x(0), 40, x(0), ay, "zero"));
    return marks;
  };
  return html`<${Chart} ...${{ height: 176, label, draw }} />`;
}

function provenMarks(at, { value, low, high }, proven) {
  const solid = low > 0 && proven;
  return [
    solid && rect(at(0), 44, at(low) - at(0), 30, "fg"), rect(at(low), 44, at(high) - at(low), 30, proven ? "fgs" : high < 0 ? "fhs" : "fr"), rect(at(value) - 1.25, 38, 2.5, 42, "fi"),
    solid && at(low) - at(0) > 120 && text(at(0) + 12, 64, `at least ${pct(low)}`, "onsolid"),
    text(Math.max(at(value), 90), 32, pct(value), "lb b l13 m"),
  ];
}

/**
 * An interval on a scale with zero and a margin that must not be crossed: value,
 * low and high, and margin as the value it lies at; unit names the scale. good
 * tells whether the interval stays clear of the margin.
 */
export function MarginRuler({ value, low, high, margin, unit, good, digits = 2 }) {
  const fmt = (n) => signed(n, digits), down = margin < 0;
  const ends = [low, high, margin, 0].filter((n) => n !== null), pad = Math.abs(margin) / 4;
  const scale = ticks(Math.min(...ends) - pad, Math.max(...ends) + pad, 4);
  const label = `Difference ${fmt(value)} ${unit}, interval ${fmt(low)} to ${fmt(high)}, margin ${fmt(margin)}.`;
  const draw = (width) => {
    const x = linear(scale[0], scale.at(-1), 6, width - 6), y = 59, ay = 138, colour = good ? "g" : "c";
    const close = Math.abs(x(margin) - x(0)) < 100;
    const edge = down ? x(scale[0]) : x(scale.at(-1));
    const marks = [rect(Math.min(edge, x(margin)), y - 15, Math.abs(x(margin) - edge), 30, "fhw"), line(x(margin), y - 26, x(margin), y + 34, "margin"),
      text(x(margin), y - 34, `margin ${fmt(margin)}`, `th ${close ? (down ? "e" : "") : x(margin) < 50 ? "" : "m"}`),
      line(x(0), y - 26, x(0), y + 34, "zero"), text(x(0), y - 34, close ? "zero" : "no difference", `lb2 ${close ? (down ? "" : "e") : x(0) > width - 44 ? "e" : "m"}`)];
    const [a, b] = [x(low ?? scale[0]), x(high ?? scale.at(-1))];
    marks.push(line(a, y, b, y, `s${colour} w3`), low !== null && line(a, y - 6, a, y + 6, `s${colour} w2`), high !== null && line(b, y - 6, b, y + 6, `s${colour} w2`), circle(x(value), y, 6, good ? "fg spaper w2" : "fp sc w2"));
    marks.push(low !== null && (a < 52 ? text(0, y + 28, fmt(low), "lb halo") : text(a - 8, y + 4, fmt(low), "lb e halo")),
      high !== null && (b > width - 52 ? text(width, y + 28, fmt(high), "lb e halo") : text(b + 8, y + 4, fmt(high), "lb halo")));
    if (good) marks.push(...spare(x, down ? low : high, margin, y + 22, digits));
    marks.push(line(x.a, ay, x.b, ay, "gr"), scale.map((v, i) => [line(x(v), ay, x(v), ay + 5, "zero"),
      text(x(v), ay + 19, v ? signed(v, Number.isInteger(v) ? 0 : 1) : "0", `ax ${i === scale.length - 1 ? "e" : i ? "m" : ""}`)]), text(width - 6, ay + 34, unit, "ax e"));
    return marks;
  };
  return html`<${Chart} ...${{ height: 176, label, draw }} />`;
}

/** The same as a table, where more is better; what says whose difference it is. */
export function marginTable({ value, low, high, margin, unit, digits = 2 }, what) {
  const rows = [["Difference", value], ["At worst", low], ["At best", high], ["Margin", margin]];
  return { head: [what, `>${capital(unit)}`], rows: rows.map(([name, v]) => [name, { show: signed(v, digits), value: v }]) };
}

/** How much of the margin is left, as an arrow. */
function spare(x, end, margin, y, digits) {
  const [a, b] = [Math.min(x(margin), x(end)) + 3, Math.max(x(margin), x(end)) - 2];
  if (b - a < 40) return [];
  return [line(a, y, b, y, "cross"), path([[a + 6, y - 3], [a, y], [a + 6, y + 3]], "cross"), path([[b - 6, y - 3], [b, y], [b - 6, y + 3]], "cross"),
    text((a + b) / 2, y + 17, `${Math.abs(margin - end).toFixed(digits)} to spare`, "lb2 m halo")];
}

/**
 * From one sum to another, step by step. rows are {name, value} of a sum with
 * kind: modelled, fact or total, or {name, change} of a step, good when it is less.
 */
export function Bridge({ rows }) {
  let at = 0;
  const drawn = rows.map((row) => {
    const from = at;
    at = "change" in row ? at + row.change : row.value;
    return { ...row, lo: "change" in row ? Math.min(from, at) : 0, hi: "change" in row ? Math.max(from, at) : row.value, at };
  });
  const most = Math.max(...drawn.map((row) => row.hi)), digits = moneyDigits(drawn.map((row) => row.change ?? row.value), 2);
  const say = (row) => ("change" in row ? (row.change > 0 ? "+" : "") : "") + money(row.change ?? row.value, digits);
  const cls = (row) => ({ modelled: "hatch", fact: "fi2", total: "fi" })[row.kind] ?? (row.kind === "unproven" ? "fc" : row.change > 0 ? "fh" : "fg");
  const draw = (width, narrow) => {
    const x = linear(0, most, narrow ? 124 : 148, width - 84), tall = 34;
    return drawn.map((row, i) => {
      const y = i * tall + 6, w = Math.max(1.5, x(row.hi) - x(row.lo)), sum = "value" in row;
      return [text(0, y + 15, row.name, `${sum ? "lb md" : "lb2"} l13`), rect(x(row.lo), y, w, 20, cls(row)), row.kind === "modelled" && rect(x(row.lo) + 0.5, y + 0.5, w - 1, 19, "out"),
        text(width, y + 15, say(row), `${row.change > 0 && row.kind !== "unproven" ? "th" : sum ? "lb md" : "lb"} l13 e`), i < drawn.length - 1 && line(x(row.at), y + 20, x(row.at), y + tall, "mark")];
    });
  };
  return html`<${Chart} ...${{ height: rows.length * 34 + 4, label: `${rows.map((row) => `${row.name} ${say(row)}`).join(", ")}.`, draw }} />`;
}

const POLICIES = { routed: ["busu", "routed"], always_cheapest: ["Always cheapest", "cheapest"], always_baseline: ["Always baseline", "baseline"],
  random_mix: ["Random mix, same cost", "mix"] };

export const policyName = (p) => POLICIES[p.name][0];

/** A policy of the API, as the plane takes it. */
export const planePoint = (p) => ({ ...onPlane(p), name: policyName(p), role: POLICIES[p.name][1] });

/** Where something of the API stands on the plane. */
export const onPlane = (p) => ({ cost: 1000 * p.cost_per_request_usd, quality: 100 * p.quality });

/**
 * Cost against quality of policies: {name, cost, quality, low, high, role};
 * cost per 1,000 requests, quality in per cent, role routed, cheapest, baseline,
 * mix or "". The line from cheapest to baseline is what chance buys; curve is
 * what else could be had: {cost, quality, live}, by cost.
 */
export function CostQualityPlane({ policies, curve = [], margin, unit }) {
  const by = (role) => policies.find((p) => p.role === role), [routed, cheapest, baseline, mix] = ["routed", "cheapest", "baseline", "mix"].map(by);
  const all = [...policies, ...curve], qs = all.flatMap((p) => [p.quality, p.low ?? p.quality, p.high ?? p.quality]), span = Math.max(...qs) - Math.min(...qs) || 1;
  const ys = ticks(Math.min(...qs) - span * 0.12, Math.min(100.001, Math.max(...qs) + span * 0.16), 5), xs = ticks(0, 1.08 * Math.max(...all.map((p) => p.cost)), 4);
  const label = `Cost per thousand requests against quality. ${policies.map((p) => `${p.name}: ${dollars(p.cost)}, ${p.quality.toFixed(1)}`).join(". ")}.`;
  const draw = (width, narrow) => {
    const tall = narrow ? 320 : 440, y0 = 18, y1 = tall - 42;
    const x = linear(xs[0], xs.at(-1), narrow ? 34 : 40, width - 14), y = linear(ys[0], ys.at(-1), y1, y0), at = (p) => [x(p.cost), y(p.quality)];
    const marks = [ys.map((v) => [line(x.a, y(v), x.b, y(v), "gr"), text(x.a - 8, y(v) + 4, String(v), "ax e")]),
      xs.map((v, i) => [text(x(v), y1 + 18, `$${v}`, `ax ${i === xs.length - 1 ? "e" : "m"}`), line(x(v), y1, x(v), y1 + 4, "zero")]),
      line(x.a, y1, x.b, y1, "zero"), text(x.b, tall - 4, "cost per 1,000 requests", "lb2 e"), text(x.a + 6, y0 + 4, unit, "lb2 halo")];
    if (margin !== undefined && baseline) marks.push(line(x.a, y(baseline.quality - margin), x.b, y(baseline.quality - margin), "margin"),
      text(x.a + 6, y(baseline.quality - margin) + 16, narrow ? "margin" : `baseline less the margin of ${margin}`, "th halo"));
    if (cheapest && baseline) marks.push(path([at(cheapest), at(baseline)], "ln n"));
    if (curve.length) marks.push(path(curve.map(at), "ln two"), curve.map((p) => circle(...at(p), p.live ? 5 : 3, p.live ? "fi spaper w15" : "fp si2 w15")));
    if (routed && mix) marks.push(gain(at(routed), at(mix), routed, mix));
    if (routed && baseline) marks.push(line(at(routed)[0] + 12, at(routed)[1], Math.max(at(routed)[0] + 12, at(baseline)[0] - 12), at(routed)[1], "sg w15"));
    return [...marks, policies.map((p) => policy(p, at(p), { y, width, narrow, taken: curve.map(at) }))];
  };
  return html`<${Chart} height=${(narrow) => (narrow ? 320 : 440)} ...${{ label, draw }} />`;
}

function gain([x, y], [, below], routed, mix) {
  const more = routed.quality - mix.quality;
  if (below - y < 30) return null;
  const left = x > 190;
  return [line(x, y + 10, x, below - 6, "sg w15"), text(x + (left ? -9 : 9), (y + below) / 2 + 4, `${signed(more, 1)} at the same cost`, `tg md halo ${left ? "e" : ""}`)];
}

const SPOTS = [[0, -14, "m", -18], [-13, 5, "e", -36], [13, 20, "", 0]]; // of busu's name: from its point, how it is set, and where it begins

/** The first of the spots under which no other point lies. */
const free = ([x, y], taken) => SPOTS.find(([dx, dy, , from]) => !taken.some(([px, py]) => Math.abs(px - x - dx - from - 18) < 26 && Math.abs(py - y - dy + 5) < 13)) ?? SPOTS[0];

function policy(p, [x, y], { y: scale, width, narrow, taken }) {
  const bars = p.low !== undefined && line(x, scale(p.low), x, scale(p.high), "sc w15");
  if (p.role === "routed") {
    const [dx, dy, set] = free([x, y], taken);
    return [bars, circle(x, y, 7, "fg spaper w2"), text(x + dx, y + dy, "busu", `tg b l14 halo ${x > 60 ? set : ""}`)];
  }
  if (p.role === "mix") return [rect(x - 4, y - 4, 8, 8, "fp si2 w15"), text(x + 10, y + 16, narrow ? "random mix" : "random mix of both, at the same cost", "lb2 halo")];
  const end = p.role !== "", right = x > width - 130;
  return [bars, end ? circle(x, y, 5.5, "fi spaper w2") : circle(x, y, 4, "fp si2 w15"),
    text(right ? x : x + 10, right ? y - 14 : y + 5, p.name, `${end ? "lb md" : "lb2"} halo ${right ? "e" : ""}`)];
}
