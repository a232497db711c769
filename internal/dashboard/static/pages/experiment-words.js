// What the figures of experiments are called, and how they are read.

import { duration, money, number, percent, percentage } from "../core/format.js";

/** How an experiment stands: [verdict's state, mood of a tag, words]. */
export function standing({ state, outcome, winner }) {
  if (state !== "decided") return ["open", "", state === "running" ? "Running" : "Stopped, no verdict"];
  return {
    win: ["win", "good", `Winner: ${winner}`], lose: ["lose", "bad", `Worse: ${winner ?? "the control"} stays`], stopped_harm: ["lose", "bad", "Stopped for harm"],
    trade_off: ["open", "warn", "A trade-off: yours to decide"], equivalent: ["open", "", "No difference that matters"], inconclusive: ["open", "", "Not decided"],
    invalid_srm: ["blocked", "bad", "No verdict: the split is wrong"], invalid_feedback: ["blocked", "bad", "No verdict: feedback is lopsided"],
  }[outcome] ?? ["open", "", outcome];
}

const share = (v) => percent(percentage(100 * v));

/**
 * name, value as text, words for better and worse; unit of the forest plot, and of
 * the sequence the unit and what makes it of the API's figure.
 */
export const METRICS = {
  good: { name: "Good answers", show: share, better: "Better", worse: "Worse", unit: " pt", points: true, axis: "points", scale: 100 },
  quality: { name: "Quality score", show: (v) => number(v, 3), better: "Better", worse: "Worse", unit: "\u202f%", axis: "hundredths of the score", scale: 100 },
  cost: { name: "Cost per request", show: (v) => money(v), better: "Cheaper", worse: "Dearer", unit: "\u202f%", axis: "US dollars per 1,000 requests", scale: 1000 },
  latency: { name: "Latency, mean", show: (v) => duration(v), better: "Faster", worse: "Slower", unit: "\u202f%", axis: "milliseconds", scale: 1 },
  slow: { name: "Slow requests", show: share, better: "Fewer", worse: "More", unit: " pt", points: true, axis: "points", scale: 100 },
};

/** value, low, high and margin of a metric in the unit of the forest plot, and its reading in words. */
export function figures(m) {
  const words = METRICS[m.name], of = (v) => (v === null || v === undefined ? null : 100 * v), bad = m.better === "higher" ? -1 : 1;
  const [value, low, high] = words.points ? [m.difference.value, m.difference.low, m.difference.high] : [m.lift, m.low, m.high];
  const margin = m.margin === null ? null : bad * (m.margin_relative === Boolean(words.points) ? m.margin * (words.points ? m.control : 1 / m.control) : m.margin);
  const says = m.reading === "holds" ? "No harm, proven" : words[m.reading] ? `${words[m.reading]}, proven` : m.guardrail && m.ok === null ? "Not measured" : "Not decided";
  return { value: of(value), low: of(low), high: of(high), margin: of(margin), worst: of(bad < 0 ? low : high), says };
}

/** Which rule decided. */
export const RULES = {
  winner_early: "the primary metric cleared its boundary, and every guardrail held", winner_final: "the test at the end found it better, and every guardrail held",
  loser_early: "the primary metric crossed the boundary of harm", loser_final: "the test at the end found it worse",
  guardrail_worse: "it is better, and a guardrail is shown to be worse", guardrail_unproven: "not every guardrail is shown to hold",
  within_margins: "all differences are shown to lie inside the margins", no_difference: "the test at the end found no difference", too_few_units: "too few users of an arm had matured",
  split_mismatch: "users were not split as planned", feedback_mismatch: "one arm got feedback more often", harm: "a guardrail is shown to be worse than its margin",
};
