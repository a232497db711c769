// Charts over one time axis: requests stacked by model, and percentiles on a
// logarithmic scale. They share a cursor: pointing at one, or the arrow keys,
// reads all of them at that time.

import { behindUTC, clock, count, dollars, duration, inPercent, percent, rate, share, tick } from "../core/format.js";
import { html, useId, useState } from "../core/html.js";
import { known } from "../core/series.js";
import { Chart, area, circle, clipped, line, linear, logTicks, logarithmic, path, rect, shorten, spread, text, ticks, trace } from "./draw.js";

const TOP = 20, BELOW = 26, LEFT = 48; // of all, so that their cursors stand above each other

/** The time that several charts are read at: {at: milliseconds or null, set}. */
export function useCursor() {
  const [at, set] = useState(null);
  return { at, set };
}

/**
 * One chart over time. axis is {series, from, end, cursor, markers}: markers are
 * {t, text}. draw({x, y0, y1, reading, pointed}) gives {marks, labels}; marks
 * are clipped to the axis, labels are {y, name, value, strong} behind its end.
 */
function TimeChart({ height, axis, draw, sentence }) {
  const { series, from, end, cursor, markers = [] } = axis, clip = useId();
  const shown = cursor.at !== null && series.first && cursor.at >= series.first.t ? cursor.at : null;
  const reading = shown === null ? series.last : series.nearest(shown);
  const scale = (width) => linear(from, end, LEFT, width - (width < 420 ? 112 : 140));
  const point = (px, width) => series.last && cursor.set(series.nearest(scale(width).invert(px)).t);
  const key = (e) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key], { points } = series;
    if (e.key === "Escape") cursor.set(null);
    if (!step || !points.length) return;
    e.preventDefault();
    const at = shown === null ? points.length - 1 : points.indexOf(reading);
    cursor.set(points[Math.max(0, Math.min(points.length - 1, at + step * (e.shiftKey ? 10 : 1)))].t);
  };
  const frame = (width) => {
    const x = scale(width), y0 = TOP, y1 = height - BELOW;
    const { under = [], marks, over = [], labels } = draw({ x, y0, y1, reading, pointed: shown !== null, width });
    return [
      html`<clipPath id=${clip}>${rect(x.a, 0, x.b - x.a, height)}</clipPath>`, under, clipped(clip, marks), over,
      series.holes(from, end).map(([a, b]) => rect(x(a), y0, x(b) - x(a), y1 - y0, "hatch")),
      lastKnown(axis, x, y0, y1), drawMarkers(markers.filter((m) => m.t > from && m.t < end), x, y1),
      timeTicks(x, y1, shown === null ? null : reading.t),
      shown !== null && [line(x(reading.t), 4, x(reading.t), y1, "cross"), text(x(reading.t), y1 + 19, clock(reading.t), "lb m halo")],
      spread(labels, y0, y1).map((l) => [text(x.b + 10, l.y + 4, shorten(l.name, width < 420 ? 11 : 13), l.strong ? "lb b" : "lb2"), text(width, l.y + 4, l.value, `lb e ${l.strong ? "b" : ""}`)]),
    ];
  };
  return html`<${Chart} cls="timed" height=${height} label=${`${sentence(reading)} Arrow keys read other times.`} draw=${frame} onPoint=${point} onLeave=${() => cursor.set(null)} onKey=${key} />`;
}

function lastKnown({ series, from, end, stale }, x, y0, y1) {
  if (!stale || !series.last || end - series.last.t < 5000) return null;
  const at = x(Math.max(series.last.t, from)), room = at - x.a > 130;
  return [line(at, y0, at, y1, "cross"), text(at + (room ? -8 : 8), y0 + 10, `last known ${clock(series.last.t)}`, `tw2 halo ${room ? "e" : ""}`)];
}

/** Dotted lines, the newest with its words, the others too where there is room. */
function drawMarkers(markers, x, y1) {
  let room = Infinity;
  return [...markers].sort((a, b) => b.t - a.t).map((m) => {
    const at = x(m.t), words = at < room && text(at + 2, TOP - 8, m.text, "lb2 halo e");
    if (words) room = at - 6 * m.text.length;
    return [line(at, TOP - 2, at, y1, "mark"), at - 6 * m.text.length > 0 && words];
  });
}

const STEPS = [10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800].map((s) => s * 1000);

function timeTicks(x, y1, taken) {
  const room = Math.max(2, Math.floor((x.b - x.a) / 84)), span = x.to - x.from;
  const step = STEPS.find((s) => span / s <= room) ?? span / room;
  const shift = step >= 3_600_000 ? behindUTC(x.to) : 0; // whole hours of the reader's day
  const marks = [];
  for (let t = Math.ceil((x.from - shift) / step) * step + shift; t <= x.to; t += step) {
    const at = x(t);
    if (at > x.a + 16 && at < x.b - 14 && (taken === null || Math.abs(at - x(taken)) > 60)) marks.push(text(at, y1 + 19, tick(t, step), "ax m"));
  }
  return marks;
}

/** Requests per second, stacked cheap to dear; groups are those of the ramp. */
export function StackedRates({ axis, groups, height = 280 }) {
  const of = (p, names) => names.reduce((sum, name) => sum + (p.rates.get(name) ?? 0), 0);
  const dearFirst = groups.map(([name, shade, names]) => [name, shade, name === "other" ? [...names, "other"] : names]).reverse();
  if (!groups.some(([name]) => name === "other")) dearFirst.push(["other", 0, ["other"]]);
  const draw = ({ x, y0, y1, reading, pointed }) => {
    const runs = axis.series.runs(x.from - 2 * (axis.series.last?.span || 1000));
    const most = Math.max(...runs.flat().map((p) => p.rate), 0) || 0.9;
    const scale = ticks(0, most * 1.04, 4), y = linear(0, scale.at(-1), y1, y0);
    const under = scale.map((v) => [line(x.a, y(v), x.b, y(v), v ? "gr" : "zero"), text(x.a - 8, y(v) + 4, v < 1000 ? String(v) : count(v), "ax e")]);
    const marks = runs.map((run) => stack(run, dearFirst, of, x, y));
    let sum = 0;
    const total = reading?.rate ?? 0;
    const labels = dearFirst.map(([name, , names]) => {
      const v = reading ? of(reading, names) : 0;
      sum += v;
      return { y: y(sum - v / 2), name, value: pointed ? rate(v) : percent(share(v, total)), v };
    }).filter((l) => l.v > 0);
    if (reading) labels.push({ y: y(Math.max(sum, total)) - 10, name: "all", value: `${rate(total)}\u202f/s`, strong: true });
    return { under, marks, labels };
  };
  const sentence = (p) => (p ? `Requests per second at ${clock(p.t)}: ${rate(p.rate)} in all; ${dearFirst.filter(([, , names]) => of(p, names) > 0).map(([name, , names]) => `${name} ${rate(of(p, names))}`).join(", ")}.` : "No requests in this time.");
  return html`<${TimeChart} ...${{ height, axis, draw, sentence }} />`;
}

function stack(run, groups, of, x, y) {
  let floor = run.map(() => 0);
  return groups.map(([, shade, names]) => {
    const lid = run.map((p, i) => floor[i] + of(p, names)), edge = run.map((p, i) => [x(p.t), y(lid[i])]);
    const band = [area(edge, run.map((p, i) => [x(p.t), y(floor[i])]), `f${shade} band`), shade < 3 && path(edge, "edge")];
    floor = lid;
    return band;
  });
}

const LINES = [["p99", "p99", "ln three"], ["p95", "p95", "ln"], ["p50", "p50", "ln two"], ["first token", "first", "ln two dash"]];
const tickTime = (ms) => (ms >= 1000 ? `${+(ms / 1000).toPrecision(2)}\u202fs` : `${+ms.toPrecision(2)}\u202fms`);

/** p50, p95, p99 and the median time to the first token; milliseconds, logarithmic. */
export function PercentileLines({ axis, height = 226 }) {
  const { series } = axis;
  const draw = ({ x, y0, y1, reading, pointed }) => {
    const since = x.from - 2 * (series.last?.span || 1000);
    const values = series.runs(since).flat().flatMap((p) => [p.p50, p.p99, p.first]).filter((v) => v > 0);
    const scale = values.length ? logTicks(Math.min(...values) * 0.95, Math.max(...values) * 1.05) : logTicks(100, 1000);
    const y = logarithmic(scale[0], scale.at(-1), y1, y0);
    const under = scale.map((v, i) => [line(x.a, y(v), x.b, y(v), i ? "gr" : "zero"), text(x.a - 8, y(v) + 4, tickTime(v), "ax e")]);
    const marks = LINES.map(([, figure, cls]) => series.runs(since, figure).map((run) => trace(run.filter((p) => p[figure] > 0).map((p) => [x(p.t), y(p[figure])]), cls)));
    const there = LINES.filter(([, figure]) => reading && known(reading[figure]) && reading[figure] > 0);
    const over = pointed ? there.map(([, figure]) => circle(x(reading.t), y(reading[figure]), 3, "fp si w15")) : values.length ? [] : [text((x.a + x.b) / 2, (y0 + y1) / 2, "no answer in this time", "m halo")];
    return { under, marks, over, labels: there.map(([name, figure]) => ({ y: y(reading[figure]), name, value: duration(reading[figure]), strong: figure === "p95" })) };
  };
  const sentence = (p) => (p ? `Latency at ${clock(p.t)}: ${LINES.map(([name, figure]) => `${name} ${duration(p[figure])}`).join(", ")}.` : "No latency in this time.");
  return html`<${TimeChart} ...${{ height, axis, draw, sentence }} />`;
}

const every = (points) => points.filter((_, i) => (points.length - 1 - i) % Math.max(1, Math.ceil(points.length / 30)) === 0).reverse();
const timeCell = (p) => ({ show: clock(p.t), value: new Date(p.t).toISOString() });

/** Requests per second as a table: about thirty times, newest first. */
export function rateTable({ points }, groups) {
  const names = groups.flatMap(([, , inside]) => inside).filter((name) => points.some((p) => p.rates.get(name) > 0));
  return {
    head: ["Time", ">all", ...names.map((name) => `>${name}`)],
    rows: every(points).map((p) => ({ key: p.t, cells: [timeCell(p), ...[p.rate, ...names.map((name) => p.rates.get(name) ?? 0)].map((n) => ({ show: rate(n), value: n }))] })),
  };
}

/** Figures as a table, likewise: columns are [name, figure, how it is told]. */
const figureTable = ({ points }, columns) => ({
  head: ["Time", ...columns.map(([name]) => `>${name}`)],
  rows: every(points).map((p) => ({ key: p.t, cells: [timeCell(p), ...columns.map(([, figure, show]) => ({ show: show(p[figure]), value: p[figure] }))] })),
});

export const percentileTable = (series) => figureTable(series, LINES.map(([name, figure]) => [name, figure, duration]));

const KEY = [["Requests /s", "rate", rate], ["Errors", "errors", inPercent], ["Latency p95", "p95", duration], ["First token p95", "ttft", duration],
  ["Cost /h", "cost", dollars], ["Cache hits", "hits", inPercent], ["Overhead p99", "overhead", duration]];

/** What the sparks of the key figures show. */
export const keyTable = (series) => figureTable(series, KEY);
