// Two charts over one time axis, drawn by hand as SVG: requests per second
// stacked by model, and latency on a logarithmic scale. Pointing at one, or the
// arrow keys, reads both at that time.

import { svg } from "./dom.js";
import { clock, count, duration, rate } from "./format.js";

const SPANS = [60, 120, 300, 600].map((s) => s * 1000);
const QUANTILES = [["p99", "ln three"], ["p95", "ln"], ["p50", "ln two"]];

export class Charts {
  #cursor = null; // a time, or null for now
  #latest = null;

  constructor(rateBox, latencyBox) {
    this.rate = this.#frame(rateBox);
    this.latency = this.#frame(latencyBox);
    new ResizeObserver(() => this.#draw()).observe(rateBox);
  }

  draw(history, ramp, end) {
    this.#latest = { history, ramp, end };
    this.#draw();
  }

  #frame(box) {
    const root = svg("svg", { role: "img", tabindex: 0, width: "100%", "aria-label": "Nothing to draw yet" });
    box.append(root);
    root.addEventListener("pointermove", (e) => this.#point(root, e));
    root.addEventListener("pointerleave", () => this.#read(null));
    root.addEventListener("blur", () => this.#read(null));
    root.addEventListener("keydown", (e) => this.#key(e));
    return root;
  }

  #point(root, e) {
    const { points } = this.#latest?.history ?? {};
    if (!points?.length) return;
    const x = axis(root, this.#latest);
    this.#read(this.#latest.history.nearest(x.invert(e.clientX - root.getBoundingClientRect().left)).t);
  }

  #key(e) {
    const points = this.#latest?.history.points ?? [];
    const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (e.key === "Escape") this.#read(null);
    if (!step || !points.length) return;
    e.preventDefault();
    const at = this.#cursor === null ? points.length - 1 : points.findIndex((p) => p.t === this.#cursor);
    this.#read(points[Math.max(0, Math.min(points.length - 1, at + step * (e.shiftKey ? 10 : 1)))].t);
  }

  #read(t) {
    if (t === this.#cursor) return;
    this.#cursor = t;
    this.#draw();
  }

  #draw() {
    if (!this.#latest?.history.points.length || !this.rate.clientWidth) return;
    const { history } = this.#latest;
    if (this.#cursor !== null && this.#cursor < history.points[0].t) this.#cursor = null;
    const reading = this.#cursor === null ? history.points.at(-1) : history.nearest(this.#cursor);
    drawRate(this.rate, this.#latest, reading, this.#cursor !== null);
    drawLatency(this.latency, this.#latest, reading, this.#cursor !== null);
  }
}

/** The time axis: a function from times to x, with its edges. */
function axis(root, { history, end }) {
  const width = root.clientWidth, narrow = width < 560;
  const span = SPANS.find((s) => s >= end - history.points[0].t) ?? SPANS.at(-1);
  const left = 46, right = width - (narrow ? 98 : 140), from = end - span;
  const x = (t) => left + ((t - from) / span) * (right - left);
  return Object.assign(x, { left, right, width, from, end, span, invert: (px) => from + ((px - left) / (right - left)) * span });
}

function drawRate(root, latest, reading, pointed) {
  const { history, ramp } = latest;
  const x = axis(root, latest), height = root.clientHeight, top = 12, bottom = height - 26;
  const runs = history.runs(x.from - 2000);
  const most = Math.max(0, ...runs.flat().map((p) => p.rate)) || 0.95;
  const step = niceStep(most / 5), ceiling = step * Math.ceil((most * 1.04) / step);
  const y = (v) => bottom - (v / ceiling) * (bottom - top);
  const groups = ramp.groups().reverse(); // the dearest lies at the bottom
  const of = (p, names) => names.reduce((sum, name) => sum + (p.rates.get(name) ?? 0), 0);

  const marks = ticks(step, ceiling).flatMap((v) => [line(x.left, y(v), x.right, y(v), v ? "gr" : "zero"), text(x.left - 8, y(v) + 4, v < 1000 ? `${+v.toPrecision(3)}` : count(v), "ax e")]);
  for (const run of runs) {
    let floor = run.map(() => 0);
    for (const [, shade, names] of groups) {
      const lid = run.map((p, i) => floor[i] + of(p, names));
      const edge = run.map((p, i) => [x(p.t), y(lid[i])]);
      marks.push(path(edge.concat(run.map((p, i) => [x(p.t), y(floor[i])]).reverse()) , `f${shade} band`, true));
      if (shade < 3) marks.push(path(edge, "edge"));
      floor = lid;
    }
  }

  let sum = 0;
  const labels = groups.map(([name, , names]) => {
    const v = of(reading, names), at = y(sum + v / 2);
    sum += v;
    return { y: at, name, value: rate(v), shown: v > 0 };
  }).filter((l) => l.shown);
  labels.push({ y: y(Math.max(sum, reading.rate)) - 8, name: "all", value: `${rate(reading.rate)}\u202f/s`, strong: true });

  const parts = groups.map(([name, , names]) => `${name} ${rate(of(reading, names))}`).join(", ");
  fill(root, x, bottom, latest, marks, labels, reading, pointed,
    `Requests per second at ${clock(reading.t)}: ${rate(reading.rate)} in all${parts ? `; ${parts}` : ""}. Arrow keys read other times.`);
}

function drawLatency(root, latest, reading, pointed) {
  const { history } = latest;
  const x = axis(root, latest), height = root.clientHeight, top = 12, bottom = height - 26;
  const runs = history.runs(x.from - 2000);
  const values = runs.flat().flatMap((p) => [p.p50, p.p99]).filter((v) => v > 0);
  const [least, most] = values.length ? [Math.min(...values), Math.max(...values)] : [100, 1000];
  const scale = logTicks(least * 0.95, most * 1.05), [lo, hi] = [scale[0], scale.at(-1)];
  const y = (v) => bottom - (Math.log(v / lo) / Math.log(hi / lo)) * (bottom - top);

  const marks = scale.flatMap((v, i) => [line(x.left, y(v), x.right, y(v), i ? "gr" : "zero"), text(x.left - 8, y(v) + 4, tickTime(v), "ax e")]);
  for (const [q, style] of QUANTILES) {
    for (const run of history.runs(x.from - 2000, history.points.filter((p) => p[q] > 0))) marks.push(path(run.map((p) => [x(p.t), y(p[q])]), style));
  }
  if (!values.length) marks.push(text((x.left + x.right) / 2, (top + bottom) / 2, "no answer in these minutes", "m halo"));
  if (pointed) for (const [q] of QUANTILES) if (reading[q] > 0) marks.push(svg("circle", { cx: r(x(reading.t)), cy: r(y(reading[q])), r: 3, class: "fp si w15" }));

  const labels = QUANTILES.map(([q]) => ({ y: reading[q] > 0 ? y(reading[q]) : 0, name: q, value: duration(reading[q]), strong: q === "p95", shown: reading[q] > 0 })).filter((l) => l.shown);
  const said = QUANTILES.map(([q]) => `${q} ${duration(reading[q])}`).reverse().join(", ");
  fill(root, x, bottom, latest, marks, labels, reading, pointed, `Latency at ${clock(reading.t)}: ${said}. Arrow keys read other times.`);
}

/** What both charts have around their marks: times, holes, the reading and its labels. */
function fill(root, x, bottom, { history, end }, marks, labels, reading, pointed, sentence) {
  const clip = `clip-${root.parentElement.id}`;
  const all = [
    svg("clipPath", { id: clip }, svg("rect", { x: x.left, y: 0, width: Math.max(0, x.right - x.left), height: bottom + 1 })),
    ...marks.map((m) => (m.tagName === "path" ? (m.setAttribute("clip-path", `url(#${clip})`), m) : m)),
  ];
  for (const [a, b] of history.holes(x.from, end)) all.push(svg("rect", { x: r(x(a)), y: 12, width: r(x(b) - x(a)), height: bottom - 12, fill: "url(#hatch)" }));
  const first = history.points[0].t, last = history.points.at(-1).t;
  if (end === last && x(first) - x.left > 150) all.push(text(x(first) - 8, 24, `page opened ${clock(first)}`, "ax e halo"));
  if (end > last) {
    const at = Math.max(x(last), x.left), room = at - x.left > 130;
    all.push(line(at, 12, at, bottom, "cross"), text(at + (room ? -8 : 8), 24, `last known ${clock(last)}`, room ? "warn-t halo e" : "warn-t halo"));
  }
  all.push(...timeTicks(x, bottom, pointed ? x(reading.t) : -1e6));
  if (pointed) all.push(line(x(reading.t), 4, x(reading.t), bottom, "cross"), text(x(reading.t), bottom + 19, clock(reading.t), "lb m halo"));
  for (const l of spread(labels, bottom)) {
    const style = l.strong ? "lb" : "";
    all.push(text(x.right + 10, l.y + 4, shorten(l.name, x.width < 560 ? 8 : 12), style), text(x.width, l.y + 4, l.value, `lb e`));
  }
  root.replaceChildren(...all);
  root.setAttribute("aria-label", sentence);
}

function timeTicks(x, bottom, taken) {
  const room = Math.max(2, Math.floor((x.right - x.left) / 96));
  const step = [10, 15, 30, 60, 120, 300, 600].map((s) => s * 1000).find((s) => x.span / s <= room) ?? x.span;
  const marks = [];
  for (let t = Math.ceil(x.from / step) * step; t <= x.end; t += step) {
    const at = Math.min(x(t), x.right - 22);
    if (at > x.left + 16 && Math.abs(at - taken) > 60) marks.push(text(at, bottom + 19, clock(t), "ax m"));
  }
  return marks;
}

/** Keeps labels at least 16 px apart, moving them up. */
function spread(labels, bottom) {
  labels.sort((a, b) => b.y - a.y);
  let below = bottom + 12;
  for (const l of labels) below = l.y = Math.min(l.y, below - 16);
  let above = -8;
  for (const l of labels.reverse()) above = l.y = Math.max(l.y, above + 16);
  return labels;
}

/** Rows for the table behind the charts: about a dozen times, newest first. */
export function seriesRows({ points }) {
  const every = Math.max(1, Math.floor(points.length / 12));
  return points.filter((_, i) => (points.length - 1 - i) % every === 0).reverse()
    .map((p) => ({ name: clock(p.t), cells: [rate(p.rate), duration(p.p50), duration(p.p95), duration(p.p99)] }));
}

const r = (n) => Math.round(n * 10) / 10;
const line = (x1, y1, x2, y2, style) => svg("line", { x1: r(x1), y1: r(y1), x2: r(x2), y2: r(y2), class: style });
const text = (x, y, s, style) => svg("text", { x: r(x), y: r(y), class: style }, s);
const path = (points, style, closed = false) => svg("path", { d: "M" + points.map(([px, py]) => `${r(px)} ${r(py)}`).join("L") + (closed ? "Z" : ""), class: style });
const shorten = (name, most) => {
  const own = name.slice(name.lastIndexOf("/") + 1); // the maker's name is in the table
  return own.length > most ? `${own.slice(0, most - 1)}…` : own;
};

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 2.5, 5, 10].find((n) => n * power >= least * 0.999);
}

function ticks(step, ceiling) {
  return Array.from({ length: Math.round(ceiling / step) + 1 }, (_, i) => i * step);
}

/** 1, 2, 5 times powers of ten from below least to above most; only the powers when that is many. */
function logTicks(least, most) {
  const all = [];
  for (let power = 10 ** Math.floor(Math.log10(least)); power <= most * 10; power *= 10) all.push(power, 2 * power, 5 * power);
  const first = all.findLastIndex((v) => v <= least), last = all.findIndex((v) => v >= most);
  const some = all.slice(first, Math.max(last, first + 2) + 1);
  return some.length <= 8 ? some : some.filter((v, i) => i === 0 || i === some.length - 1 || Number.isInteger(r(Math.log10(v))));
}

const tickTime = (ms) => (ms >= 1000 ? `${+(ms / 1000).toPrecision(2)}\u202fs` : `${+ms.toPrecision(2)}\u202fms`);
