// What an experiment shows: effects with their intervals, how the interval
// narrowed, how far it is, and whether users were split as planned.

import { NONE, count, number, percent, signed, tick } from "../core/format.js";
import { html } from "../core/html.js";
import { Chart, area, circle, diamond, line, linear, path, readingMark, rect, shorten, spread, text, ticks, whisker } from "./draw.js";

const MOOD = { better: ["sg", "tg"], holds: ["sg", "tg"], worse: ["sh", "th"], undecided: ["sc", "lb2"] };
const MARK = { better: "better", holds: "holds", worse: "worse" };
const WIDE = 760;

/**
 * Relative effects on one scale with zero and margins. groups are {title, rows}:
 * each has a scale of its own, the deciding metrics first. A row is {name, about,
 * control, test, value, low, high, margin, reading, says, strong}: control and
 * test as text; value, low, high and margin in unit, signed as they are drawn, null
 * where not known; reading better, holds, worse or undecided; says it in words.
 */
export function ForestPlot({ groups, heads = ["Control", "Test"], confidence = "95\u202f%" }) {
  const rows = groups.flatMap((g) => g.rows), isWide = (width) => width >= WIDE;
  const heightAt = (width) => place(groups, isWide(width)).height;
  const label = rows.map((row) => `${row.name}: ${signed(row.value, 1)}${row.unit}, interval ${signed(row.low, 1)} to ${signed(row.high, 1)}, ${row.says}`).join(". ");
  const draw = (width) => {
    const wide = isWide(width), { blocks } = place(groups, wide);
    return [wide && headline(width, heads, confidence), blocks.map((block, i) => drawBlock(block, width, wide, i))];
  };
  return html`<${Chart} height=${(narrow, width) => heightAt(width)} ...${{ label, draw }} />`;
}

/** Where each group stands: blocks are {title, rows: [{row, y}], top, bottom}. */
function place(groups, wide) {
  const tall = wide ? 46 : 66;
  let y = wide ? 46 : 26;
  const blocks = groups.filter((g) => g.rows.length).map((g, i) => {
    if (i > 0) y += wide ? 44 : 52;
    const top = y, rows = g.rows.map((row, n) => ({ row, y: top + n * tall }));
    y = top + g.rows.length * tall;
    return { title: g.title, rows, top, bottom: y + 2, tall };
  });
  return { blocks, height: y + 26 };
}

const columns = (width) => ({ control: width * 0.22, test: width * 0.305, from: width * 0.335, to: width * 0.73, change: width * 0.86, says: width * 0.885 });

function headline(width, [control, test], confidence) {
  const c = columns(width);
  return [text(0, 33, "Metric", "lb2"), text(c.control, 33, control, "lb2 e"), text(c.test, 33, test, "lb2 e"), text(c.change, 18, "Change", "lb2 e"),
    text(c.change, 33, `${confidence} interval`, "ax e"), text(c.says, 33, "Reading", "lb2"), line(0, 41, width, 41, "gr")];
}

function drawBlock({ title, rows, top, bottom, tall }, width, wide, i) {
  const c = columns(width), known = (n) => n !== null && Number.isFinite(n);
  const ends = rows.flatMap(({ row }) => [row.value, row.low, row.high, row.margin]).filter(known).map(Math.abs), most = Math.min(Math.max(...ends, 1) * 1.1, 400);
  const x = wide ? linear(-most, most, c.from, c.to) : linear(-most, most, 6, width - 6), scale = ticks(-most, most, 4).filter((v) => Math.abs(v) <= most);
  return [
    i > 0 && [wide && line(0, top - 3, width, top - 3, "gr"), text(0, top - (wide ? 14 : 10), title, "lb2 md")],
    scale.map((v) => [line(x(v), top - 6, x(v), bottom, v ? "gr" : "zero"), text(x(v), bottom + 17, v ? signed(v) : "0", "ax m")]),
    i === 0 && text(x(0), wide ? 18 : 12, "no change", "lb2 m"),
    rows.map(({ row, y }) => [y > top && wide && rows.length > 1 && row !== rows[0].row && line(0, y, width, y, "gr"), drawRow(row, y, { x, c, width, wide, tall, most })]),
  ];
}

function drawRow(row, y, { x, c, width, wide, tall, most }) {
  const cy = wide ? y + tall / 2 + 1 : y + 46, [stroke, said] = MOOD[row.reading] ?? MOOD.undecided, digits = Math.abs(row.value ?? 0) < 2 ? 2 : 1;
  const range = row.low === null && row.high === null ? "no interval" : `${signed(row.low, digits)} to ${signed(row.high, digits)}`;
  const inside = (v, end) => (v === null ? end : Math.max(-most, Math.min(most, v))), a = inside(row.low, -most), b = inside(row.high, most);
  const words = wide ? [text(0, cy - 3, row.name, `lb l13 ${row.strong ? "b" : "md"}`), text(0, cy + 13, row.about, "ax"),
    text(c.control, cy + 4, row.control, "lb l13 e"), text(c.test, cy + 4, row.test, "lb l13 e"),
    text(c.change, cy - 3, `${signed(row.value, digits)}${row.unit}`, "lb l13 md e"),
      text(c.change, cy + 13, range, "ax e"), text(c.says, cy + 4, row.says, `${said} l13 md`)]
    : [text(0, y + 18, row.name, `lb l13 halo ${row.strong ? "b" : "md"}`),
      text(width, y + 18, `${signed(row.value, digits)}${row.unit} (${range})`, "lb halo e"),
      text(0, y + 32, row.about, "ax halo"), text(width, y + 32, row.says, `${said} halo e`)];
  if (row.value === null) return words;
  const margin = row.margin === null || Math.abs(row.margin) > most ? null : [line(x(row.margin), cy - 13, x(row.margin), cy + 13, "margin"), wide && (row.margin < 0 ? x(row.margin) < x(a) && x(row.margin) > c.from + 84 : x(row.margin) > x(b) && x(row.margin) < c.to - 84) && text(x(row.margin) + (row.margin < 0 ? -6 : 6), cy + 4, `${signed(row.margin)}${row.unit} margin`, `th halo ${row.margin < 0 ? "e" : ""}`)];
  return [words, margin, whisker(x(a), x(b), cy, stroke, { ends: [row.low !== null && a > -most,
    row.high !== null && b < most] }), readingMark(MARK[row.reading], x(inside(row.value, 0)), cy, row.strong ? 6 : 5)];
}

/**
 * An always-valid interval as users come: points are {n, value, low, high} in the
 * unit of the axis, n users; grey until decided, then in the colour of mood, good
 * or bad. target is the planned sample, boundary {n, low, high} what to be beyond,
 * harm on the side bad, 1 or -1. events are {n, text}; early is a plain test's call.
 */
export function ConfidenceSequence({ points, target, unit, mood = "good", events = [], decided, boundary = [], bad = -1, early }) {
  const ends = points.flatMap((p) => [p.value, p.low, p.high]).filter((v) => v !== null), last = points.at(-1);
  const reach = Math.max(...points.slice(Math.floor(points.length / 4)).flatMap((p) => [p.low, p.high, p.value]).filter((v) => v !== null).map(Math.abs), 1e-12);
  const scale = ticks(Math.max(Math.min(...ends, 0), -reach * 1.3), Math.min(Math.max(...ends, 0), reach * 1.3) || (Math.min(...ends) < 0 ? 0 : 1), 5), step = scale[1] - scale[0],
    digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const fmt = (v) => signed(v, digits + 2), [soft, ln, tone] = mood === "good" ? ["fgs", "ln g", "tg"] : ["fhs", "ln h", "th"];
  const label = `Difference with its interval by users. Now ${fmt(last.value)} ${unit}, interval ${fmt(last.low)} to ${fmt(last.high)}, after ${count(last.n)} of ${count(target)} users.`;
  const draw = (width, narrow) => {
    const height = narrow ? 320 : 356, x = linear(0, Math.max(target, last.n), 44, width - (narrow ? 60 : 76)),
      y = linear(scale[0], scale.at(-1), height - 44, 24), within = (v, end) => y(v === null ? end : Math.max(scale[0], Math.min(scale.at(-1), v)));
    const band = (some, cls) => some.length > 1 && area(some.map((p) => [x(p.n), within(p.high, scale.at(-1))]), some.map((p) => [x(p.n), within(p.low, scale[0])]), cls);
    const course = points.map((p) => [x(p.n), within(p.value, 0)]), after = decided === undefined ? points.length : points.findIndex((p) => p.n >= decided);
    const edge = (end, side, cls) => {
      const some = boundary.filter((b) => Math.abs(b[end]) <= Math.abs(side > 0 ? scale.at(-1) : scale[0])), last = some.at(-1);
      return some.length > 1 && [path(some.map((b) => [x(b.n), y(b[end])]), `bd ${cls}`), text(x(last.n) + 6, y(last[end]) + 4, side === bad ? "harm" : "win", side === bad ? "th" : "lb2")];
    };
    return [scale.map((v) => [line(x.a, y(v), x.b, y(v), v ? "gr" : "zero"), text(x.a - 8, y(v) + 4, signed(v, digits), "ax e")]), band(points, "fr"), after >= 0 && band(points.slice(after), soft),
      edge("high", 1, bad > 0 ? "sh" : ""), edge("low", -1, bad < 0 ? "sh" : ""),
      course.length > 1 && path(course, "ln"), after >= 0 && points.length - after > 1 && path(course.slice(after), ln),
      early && circle(x(early.n), within(early.value, 0), 3.5, "fp sw w15"), events.map((e) => [line(x(e.n), 24, x(e.n), y.a, "mark"), text(x(e.n), 14, e.text, `lb md ${x(e.n) > width / 2 ? "e" : ""}`)]),
        circle(...course.at(-1), 4, after >= 0 && after < points.length ? (mood === "good" ? "fg spaper w2" : "fh spaper w2") : "fp sc w15"),
      [["high", scale.at(-1), "lb2"], ["value", 0, `${after >= 0 && after < points.length ? tone : "lb"} b l13`], ["low", scale[0], "lb2"]].map(([f, end, cls]) => text(course.at(-1)[0] + 8, within(last[f], end) + 4, fmt(last[f]), `${cls} halo`)),
      line(x.a, y.a, x.b, y.a, "zero"), ticks(0, x.to, narrow ? 3 : 5).filter((v) => v <= x.to).map((v) => [line(x(v), y.a, x(v), y.a + 4, "zero"), text(x(v), y.a + 18, count(v), "ax m")]),
      text(x.a, height - 6, "users", "lb2"), text(x(target), height - 6, narrow ? "planned" : "planned sample", "lb2 e")];
  };
  return html`<${Chart} height=${(narrow) => (narrow ? 320 : 356)} ...${{ label, draw }} />`;
}

/** How far towards a target; at marks something on the way: {n, text, good}. */
export function Progress({ n, target, what = "users", at }) {
  const draw = (width) => {
    const x = linear(0, Math.max(n, target), 0, width);
    return [rect(0, 22, width, 10, "fr"), rect(0, 22, x(n), 10, "fi"),
      at && [line(x(at.n), 14, x(at.n), 36, `${at.good ? "sg" : "sc"} w2`), text(x(at.n), 10, at.text, `${at.good ? "tg" : "lb2"} md ${x(at.n) > width * 0.7 ? "e" : x(at.n) < width * 0.3 ? "" : "m"}`)],
      text(0, 50, `${count(n)} ${what}`, "lb md"), text(width, 50, `${count(target)} planned`, "lb2 e")];
  };
  return html`<${Chart} ...${{ height: 58, label: `${count(n)} of ${count(target)} ${what}${at ? `; ${at.text}` : ""}.`, draw }} />`;
}

/** The share of one arm beside what was planned, in per cent; low and high is what chance does, ok whether it is inside. */
export function Split({ arm, share, planned, low, high, ok }) {
  const reach = Math.max(Math.abs(share - planned), high - planned, planned - low, 0.5) * 1.4, digits = reach < 5 ? 2 : 1;
  const draw = (width) => {
    const x = linear(planned - reach, planned + reach, 0, width), at = x(share), left = share < planned;
    return [line(0, 30, width, 30, "gr"), rect(x(low), 24, x(high) - x(low), 12, "fr"),
      line(x(planned), 16, x(planned), 40, "zero"), ok ? circle(at, 30, 5.5, "fi spaper w2") : diamond(at, 30, 6.5, "fh"),
      text(x(planned), 11, `expected ${number(planned, Number.isInteger(planned) ? 0 : 1)}`, "lb2 m"),
        text(at + (left ? -10 : 10), 34, percent(number(share, digits)), `${ok ? "lb md" : "th b"} halo ${left ? "e" : ""}`),
      text(x(low), 56, number(low, 1), "ax m"), text(x(high), 56, number(high, 1), "ax m")];
  };
  return html`<${Chart} ...${{ height: 60, label: `${arm} has ${share === null ? NONE : number(share, digits)} per cent, planned ${number(planned, 1)}; chance gives ${number(low, 1)} to ${number(high, 1)}.`, draw }} />`;
}

const DAY = 86_400_000;

/** Who entered, by arm, from a time on when nobody had: points are {t, by}, by in the order of arms. */
export function Entered({ arms, points, from }) {
  const last = points.at(-1), span = last.t - from, step = span > DAY ? DAY : span / 5; // as fine as times of this span are told
  const scale = ticks(0, Math.max(...last.by, 1), 3);
  const draw = (width) => {
    const x = linear(from, last.t, 40, width - 96), y = linear(0, scale.at(-1), 126, 10);
    return [scale.map((v) => [line(x.a, y(v), x.b, y(v), v ? "gr" : "zero"), text(x.a - 8, y(v) + 4, count(v), "ax e")]),
      arms.map((arm, i) => path([[x.a, y(0)], ...points.map((p) => [x(p.t), y(p.by[i])])], `ln ${i ? "" : "two dash"}`)),
      spread(arms.map((name, i) => ({ y: y(last.by[i]), name, n: last.by[i] })), 10, 126).map((l) => [text(x.b + 8, l.y + 4, shorten(l.name, 9), "lb2"), text(width, l.y + 4, count(l.n), "lb e")]),
      text(x.a, 144, tick(x.from, step), "ax"), text(x.b, 144, tick(x.to, step), "ax e")];
  };
  return html`<${Chart} ...${{ height: 148, label: `Users who entered: ${arms.map((arm, i) => `${arm} ${count(last.by[i])}`).join(", ")}.`, draw }} />`;
}
