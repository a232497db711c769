// The course of one request, and the models that it could have gone to.

import { duration, money, moneyDigits, number } from "../core/format.js";
import { html } from "../core/html.js";
import { Chart, circle, line, linear, rect, shorten, text, ticks, whisker } from "./draw.js";

const axisTime = (ms, all) => (ms === 0 ? "0" : all >= 1000 ? `${+(ms / 1000).toPrecision(3)}` : `${+ms.toPrecision(3)}`);

/**
 * Bars over milliseconds: rows are {name, from, to, cls, text, mood}; one without
 * from has no bar. What goes on after until is drawn at the end, thin.
 */
export function Timeline({ rows, until }) {
  const height = 22 + rows.length * 26 + 6, unit = until >= 1000 ? "\u202fs" : "\u202fms";
  const draw = (width, narrow) => {
    const scale = ticks(0, until, narrow ? 3 : 4).filter((v) => v <= until * 1.001), x = linear(0, until * 1.03, narrow ? 96 : 124, width - (narrow ? 100 : 170));
    return [scale.map((v, i) => [line(x(v), 18, x(v), height - 6, v ? "gr" : "zero"), text(x(v), 12, axisTime(v, until) + (i === scale.length - 1 ? unit : ""), "ax m")]),
      rows.map((row, i) => {
        const y = 26 + i * 26, note = narrow ? row.text.split(/ · |;| in /)[0] : row.text;
        return [text(0, y + 12, shorten(row.name, narrow ? 13 : 17), "lb"),
          row.from !== undefined && rect(x(Math.min(row.from, until)), y + 3, row.thin ? 3 : Math.max(2.5, x(Math.min(row.to, until)) - x(row.from)), 11,
          row.cls), text(width, y + 12, note, `${row.mood === "bad" ? "th" : "lb2"} e`)];
      })];
  };
  return html`<${Chart} ...${{ height, label: `Timeline: ${rows.map((row) => `${row.name} ${row.text}`).join("; ")}. Answered after ${duration(until)}.`, draw }} />`;
}

/** Models cheapest first: {model, quality, low, high, cost_usd, step, note, chosen}; what says what they are, costs of what the costs are, enough is the quality that is good enough. */
export function Candidates({ rows, enough, what = "Candidates by cost with predicted quality", costs = "cost" }) {
  const height = 30 + rows.length * 27 + 24, digits = moneyDigits(rows.map((c) => c.cost_usd), 2);
  const least = Math.min(...rows.map((c) => c.low ?? c.quality), enough ?? 1);
  const label = `${what}: ${rows.map((c) => `${c.model} ${number(c.quality, 2)} for ${money(c.cost_usd, digits)}${c.note ? `, ${c.note}` : ""}`).join("; ")}.`;
  const draw = (width, narrow) => {
    const scale = ticks(Math.min(0.9, least), 1, 4).filter((v) => v <= 1), x = linear(scale[0], 1, narrow ? 98 : 112, width - (narrow ? 80 : 160)),
      bottom = 30 + rows.length * 27, right = narrow ? width : width - 84;
    return [scale.map((v) => [line(x(v), 26, x(v), bottom, "gr"), text(x(v), bottom + 16, number(100 * v, v * 1000 % 10 ? 1 : 0) + (v === 1 ? "\u202f%" : ""), "ax m")]), text(right, 16, costs, "lb2 e"),
      enough !== undefined && [rect(x(enough), 26, x(1) - x(enough), bottom - 26, "fgw"), line(x(enough), 22, x(enough), bottom, "bd"),
        text(x(enough) + 6, 16, `good enough ${number(100 * enough, 1)}\u202f%`, "lb2 e")],
      rows.map((c, i) => {
        const y = 30 + i * 27 + 13.5, chosen = c.chosen ?? c.note === "answered";
        return [rect(0, y - 5, 9, 9, `f${c.step}`, 2), c.step < 3 && rect(0.5, y - 4.5, 8, 8, "edge", 2),
          text(16, y + 4, shorten(c.model, narrow ? 11 : 13), chosen ? "lb b" : "lb"), c.low !== undefined && whisker(x(c.low), x(c.high), y, chosen ? "sg" : "sc", { ends: [false, false] }),
          circle(x(c.quality), y, chosen ? 5.5 : 4, chosen ? "fi spaper w15" : "fp si2 w15"),
            text(right, y + 4, money(c.cost_usd, digits), `${chosen ? "lb b" : "lb2"} e`), !narrow && text(width, y + 4, c.note, `${c.note === "failed" ? "th" : chosen ? "lb md" : "lb2"} e`)];
      })];
  };
  return html`<${Chart} ...${{ height, label, draw }} />`;
}
