// The recent course of one figure, small, without an axis: its shape only.

import { html } from "../core/html.js";
import { known } from "../core/series.js";
import { circle, linear, path } from "./draw.js";

const W = 132, H = 28, MOST = 90; // points

/** values oldest first; what is not known leaves a gap. */
export function Spark({ values }) {
  const every = Math.ceil(values.length / MOST), some = values.filter((_, i) => (values.length - 1 - i) % every === 0);
  const there = some.filter(known);
  if (there.length < 2) return html`<svg class="spark" viewBox="0 0 ${W} ${H}" width=${W} height=${H} aria-hidden="true" />`;
  const least = Math.min(...there), most = Math.max(...there);
  const x = linear(0, some.length - 1, 1, W - 4), y = least === most ? () => H / 2 : linear(least, most, H - 3, 3);
  const runs = [[]];
  some.forEach((v, i) => (known(v) ? runs.at(-1).push([x(i), y(v)]) : runs.push([])));
  const end = some.findLastIndex(known);
  return html`<svg class="spark" viewBox="0 0 ${W} ${H}" width=${W} height=${H} aria-hidden="true">${runs.filter((run) => run.length > 1).map((run) => path(run, "sp"))}${circle(x(end), y(some[end]), 2.2, "spd")}</svg>`;
}
