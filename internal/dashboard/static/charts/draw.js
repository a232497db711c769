// Marks, scales and the frame of every chart. A chart is drawn again at a new
// width and never shrunk. Colours are classes: a strict policy forbids styles.

import { h, html, useLayoutEffect, useRef, useState } from "../core/html.js";

const r = (n) => Math.round(n * 10) / 10;

export const text = (x, y, s, cls = "") => h("text", { x: r(x), y: r(y), class: cls }, s);
export const line = (x1, y1, x2, y2, cls) => h("line", { x1: r(x1), y1: r(y1), x2: r(x2), y2: r(y2), class: cls });
export const rect = (x, y, width, height, cls, rx) => h("rect", { x: r(x), y: r(y), width: r(Math.max(0, width)), height: r(Math.max(0, height)), class: cls, rx });
export const circle = (x, y, radius, cls) => h("circle", { cx: r(x), cy: r(y), r: radius, class: cls });
export const diamond = (x, y, s, cls) => h("path", { d: `M${r(x)} ${r(y - s)}L${r(x + s)} ${r(y)}L${r(x)} ${r(y + s)}L${r(x - s)} ${r(y)}Z`, class: cls });
export const path = (points, cls, closed = false) => h("path", { d: outline(points) + (closed ? "Z" : ""), class: cls });
export const area = (top, bottom, cls) => path([...top, ...bottom.toReversed()], cls, true);
/** Marks that are only shown inside of a clip path. */
export const clipped = (id, marks) => h("g", { "clip-path": `url(#${id})` }, marks);
const outline = (points) => `M${points.map(([x, y]) => `${r(x)} ${r(y)}`).join("L")}`;

/** A mark that repeats the reading: better, holds, worse, undecided. */
export function readingMark(reading, x, y, size = 5) {
  if (reading === "better") return circle(x, y, size + 0.5, "fg spaper w15");
  if (reading === "holds") return circle(x, y, size - 0.5, "fp sg w2");
  if (reading === "worse") return rect(x - size, y - size, 2 * size, 2 * size, "fh spaper w15");
  return diamond(x, y, size + 0.5, "fp sc w15");
}

/** An interval with its ends; open where an end is not known. */
export function whisker(x1, x2, y, cls, { ends = [true, true], size = 5 } = {}) {
  return [line(x1, y, x2, y, `${cls} w2`), ends[0] && line(x1, y - size, x1, y + size, `${cls} w15`), ends[1] && line(x2, y - size, x2, y + size, `${cls} w15`)];
}

/** A line of a run of points; one point alone is a dot, not nothing. */
export const trace = (points, cls, dot = "fi") => (points.length === 1 ? circle(points[0][0], points[0][1], 1.5, dot) : path(points, cls));

export function linear(from, to, a, b) {
  const scale = (v) => a + ((v - from) / (to - from || 1)) * (b - a);
  return Object.assign(scale, { from, to, a, b, invert: (px) => from + ((px - a) / (b - a || 1)) * (to - from) });
}

export const logarithmic = (from, to, a, b) => (v) => a + (Math.log(v / from) / Math.log(to / from)) * (b - a);

/** Round numbers from at most `from` to at least `to`, some `n` of them. */
export function ticks(from, to, n = 5) {
  const rough = (to - from) / n || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((m) => m * power >= rough * 0.999);
  const first = Math.floor(from / step + 1e-9), last = Math.ceil(to / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => +((first + i) * step).toPrecision(12));
}

/** 1, 2, 5 times powers of ten from below least to above most; only the powers when that is many. */
export function logTicks(least, most) {
  const all = [];
  for (let power = 10 ** Math.floor(Math.log10(least)); power <= most * 10; power *= 10) all.push(power, 2 * power, 5 * power);
  const first = all.findLastIndex((v) => v <= least), last = all.findIndex((v) => v >= most);
  const some = all.slice(first, Math.max(last, first + 2) + 1);
  return some.length <= 8 ? some : some.filter((v, i) => i === 0 || i === some.length - 1 || Number.isInteger(r(Math.log10(v))));
}

/** Keeps labels at least 16 px apart, moving them up, and down where there is no room. */
export function spread(labels, top, bottom) {
  labels.sort((a, b) => b.y - a.y);
  let below = bottom + 16;
  for (const l of labels) below = l.y = Math.min(l.y, below - 16);
  let above = top - 16;
  for (const l of labels.toReversed()) above = l.y = Math.max(l.y, above + 16);
  return labels;
}

/** A name that fits: the maker's name goes first, it is in the table. */
export function shorten(name, most) {
  const own = name.slice(name.lastIndexOf("/") + 1);
  return own.length > most ? `${own.slice(0, most - 1)}…` : own;
}

function useWidth(box) {
  const [width, set] = useState(0);
  useLayoutEffect(() => {
    const measure = () => set(Math.round(box.current.getBoundingClientRect().width));
    measure();
    const seen = new ResizeObserver(measure);
    seen.observe(box.current);
    return () => seen.disconnect();
  }, []);
  return width;
}

const NARROW = 420;

/**
 * The frame of a chart. draw(width, narrow) gives its marks, label is the
 * sentence that it is to those who do not see it. height is a number, or a
 * function of narrow and width.
 */
export function Chart({ height, label, draw, cls = "", onPoint, onLeave, onKey }) {
  const box = useRef(null), width = useWidth(box);
  const narrow = width > 0 && width < NARROW;
  const active = onPoint ? {
    tabindex: 0, onPointerMove: (e) => onPoint(e.clientX - box.current.getBoundingClientRect().left, width), onPointerLeave: onLeave, onBlur: onLeave, onKeyDown: onKey,
  } : {};
  return html`<svg ref=${box} class="chart ${cls}" role="img" width="100%" height=${typeof height === "function" ? height(narrow, width) : height} aria-label=${label} ...${active}>${width > 0 && draw(width, narrow)}</svg>`;
}

