// What the figures of experiments are called, and how they are read.

import { age, duration, money, number, percent, percentage } from "../core/format.js";

/** How an experiment stands: [state of a Verdict, mood of a Tag, words]. */
export function standing({ state, outcome, winner }) {
  return {
    win: ["win", "good", `Winner: ${winner}`], lose: ["lose", "bad", `Worse: ${winner} stays`], stopped_harm: ["lose", "bad", "Stopped for harm"],
    trade_off: ["open", "warn", "A trade-off: yours to decide"], equivalent: ["open", "", "No difference that matters"], inconclusive: ["open", "", "Not decided"],
    invalid_srm: ["blocked", "bad", "No verdict: the split is wrong"], invalid_feedback: ["blocked", "bad", "No verdict: feedback is lopsided"],
  }[outcome] ?? ["open", "", state === "running" ? "Running" : "Stopped, no verdict"];
}

/** A share in per cent, without a decimal that says nothing. */
export const pct = (v) => percent(percentage(100 * v).replace(/\.0$/, ""));

/** A duration of the API without the units that are zero: 720h of 720h0m0s. */
export const brief = (duration) => duration.replace(/(?<=[hm])(0m0s|0s)$/, "");

const UNITS = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** A duration of the API, such as 720h0m0s, as people say it. */
export const spoken = (text) => age([...text.matchAll(/([\d.]+)(h|ms|m|s)/g)].reduce((ms, [, n, unit]) => ms + n * UNITS[unit], 0));

/** show gives a value as text; unit is that of the forest plot, axis that of the sequence, scale what makes it of the API's figure. */
const metric = (name, show, better, worse, unit, axis, scale) => ({ name, show, better, worse, unit, axis, scale });

export const METRICS = {
  good: metric("Good answers", pct, "Better", "Worse", " pt", "points", 100),
  quality: metric("Quality score", (v) => number(v, 3), "Better", "Worse", "\u202f%", "hundredths", 100),
  cost: metric("Cost per request", (v) => money(v), "Cheaper", "Dearer", "\u202f%", "US dollars per 1,000 requests", 1000),
  latency: metric("Latency, mean", (v) => duration(v), "Faster", "Slower", "\u202f%", "milliseconds", 1),
  slow: metric("Slow requests", pct, "Fewer", "More", " pt", "points", 100),
};

/** Shares are compared in points, the rest in per cent. */
export const inPoints = (name) => METRICS[name].axis === "points";

/** A metric's change, its margin and its worst case in the unit of the forest plot, and its reading in words. */
export function figures(m) {
  const points = inPoints(m.name), worse = m.better === "higher" ? -1 : 1, of = (v) => (v === null ? null : 100 * v), { value, low, high } = points ? m.difference : { ...m, value: m.lift };
  const margin = m.margin_relative === points ? m.margin * (points ? m.control : 1 / m.control) : m.margin, word = METRICS[m.name][m.reading];
  return { value: of(value), low: of(low), high: of(high), margin: m.margin === null ? null : worse * of(margin), worst: of(worse < 0 ? low : high),
    says: m.reading === "holds" ? "No harm, proven" : word ? `${word}, proven` : m.guardrail && m.ok === null ? "Not measured" : "Not decided" };
}

/** Which rule decided. */
export const RULES = {
  winner_early: "the boundary was cleared, and every guardrail holds", winner_final: "the test at the end found it better, and every guardrail holds",
  loser_early: "the boundary of harm was crossed", loser_final: "the test at the end found it worse", guardrail_worse: "it is better, but a guardrail is shown to be worse",
  guardrail_unproven: "not every guardrail is shown to hold", within_margins: "all differences are shown to lie inside the margins", no_difference: "the test at the end found no difference",
  too_few_units: "too few users of an arm had matured", split_mismatch: "users were not split as planned", feedback_mismatch: "one arm got feedback more often", harm: "a guardrail is shown to be worse than its margin",
};
