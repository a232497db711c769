// Where requests go: from what decided to what answered. Both sides are as tall
// as their share, ribbons have the colour of the model.

import { percent, share } from "../core/format.js";
import { h, html } from "../core/html.js";
import { Chart, line, rect, shorten, text } from "./draw.js";

const r = (n) => Math.round(n * 10) / 10;

/**
 * links are {from, to, n}; left lists the names of from, right is
 * [{name, step, columns}] in the order they are drawn, step 0 to 5 or "cache".
 * heads are those of columns; keep are the places of
 * those behind the first, the most important first.
 */
export function Flow({ links, left, right, heads, keep }) {
  const all = links.reduce((sum, l) => sum + l.n, 0);
  const sum = (key, name) => links.reduce((s, l) => s + (l[key] === name ? l.n : 0), 0);
  const lefts = left.map((name) => ({ name, n: sum("from", name) })), rights = right.map((node) => ({ ...node, n: sum("to", node.name) }));
  const tall = (narrow) => layout(lefts, rights, all, narrow).height;
  const label = `Share of ${all} requests. By strategy: ${lefts.map((n) => `${n.name} ${share(n.n, all)} percent`).join(", ")}. By model: ${rights.map((n) => `${n.name} ${share(n.n, all)} percent`).join(", ")}.`;
  return html`<${Chart} height=${tall} label=${label} draw=${(width, narrow) => drawFlow({ links, lefts, rights, all, heads, keep, width, narrow })} />`;
}

function layout(lefts, rights, all, narrow) {
  const top = narrow ? 14 : 42, gap = 18, per = (narrow ? 230 : 210) / (all || 1);
  const stack = (nodes, least, space) => {
    let y = top;
    return nodes.map((n) => {
      const node = { ...n, y, height: Math.max(n.n * per, 2), room: Math.max(n.n * per, least) };
      y += node.room + space;
      return node;
    });
  };
  const l = stack(lefts, 8, gap + 2), rr = stack(rights, narrow ? 26 : 10, gap);
  const end = (nodes) => (nodes.length ? nodes.at(-1).y + nodes.at(-1).room : top);
  return { l, r: rr, per, height: Math.max(end(l), end(rr)) + 10 };
}

function drawFlow({ links, lefts, rights, all, heads, keep, width, narrow }) {
  const place = layout(lefts, rights, all, narrow), lx = narrow ? 88 : 158, rx = narrow ? width - 126 : Math.max(lx + 160, Math.min(560, width * 0.46));
  const marks = [...ribbons(links, place, lx + 7, rx - 1)];
  for (const n of place.l) {
    const held = n.name === "hold-out", cy = n.y + n.height / 2 + 4;
    marks.push(rect(lx, n.y, 6, n.height, held ? "fg" : "fi"), text(lx - 10, narrow && n.height > 40 ? cy - 8 : cy, n.name, `${held ? "tg" : "lb"} md l13 e`));
    if (!narrow) marks.push(text(0, cy, percent(share(n.n, all)), "lb2"));
    else if (n.height > 40) marks.push(text(lx - 10, cy + 8, percent(share(n.n, all)), "lb2 e"));
  }
  const columns = narrow ? [] : columnsFrom(rx, width, keep);
  for (const n of place.r) marks.push(...rightNode(n, rx, columns, narrow));
  if (!narrow) {
    marks.push(text(0, 16, "Strategy", "lb2"), text(rx + 16, 16, "Model", "lb2"), line(0, 24, lx + 6, 24, "gr"), line(rx, 24, width, 24, "gr"));
    columns.forEach(([i, x, end]) => marks.push(text(x, 16, heads[i], `lb2 ${end}`)));
  }
  return marks;
}

/** Where columns behind the nodes stand, as [index, x, anchor]: the first begins behind the names, the others end evenly; where there is no room the last ones in keep go. */
function columnsFrom(rx, width, keep) {
  const first = rx + 116, room = width - first - 64, n = Math.min(keep.length, Math.max(1, Math.floor(room / 76)));
  const shown = keep.slice(0, n).sort((a, b) => a - b);
  return [[0, first, ""], ...shown.map((i, at) => [i, first + 64 + (room * (at + 1)) / n, "e"])];
}

function rightNode(n, rx, columns, narrow) {
  const shade = n.step === "cache" ? "fs" : `f${n.step}`, cy = n.y + n.height / 2 + 4;
  const marks = [rect(rx, n.y, 6, n.height, shade), n.step < 3 || n.step === "cache" ? rect(rx + 0.5, n.y + 0.5, 5, n.height - 1, n.step === "cache" ? "out" : "edge") : null];
  marks.push(text(rx + 16, narrow ? Math.max(cy - 6, n.y + 10) : cy, shorten(n.name, narrow ? 15 : 14), "lb l13 md"));
  if (narrow) marks.push(text(rx + 16, Math.max(cy + 9, n.y + 25), n.columns[1], "lb2"));
  columns.forEach(([i, x, end]) => {
    const cell = n.columns[i];
    marks.push(text(x, cy, cell.show ?? cell, `${cell.mood ?? (i ? "lb" : "lb2")} l13 ${end}`));
  });
  return marks;
}

function* ribbons(links, { l, r: right, per }, x0, x1) {
  const from = new Map(l.map((n) => [n.name, n.y])), into = new Map(right.map((n) => [n.name, n.y])), mid = (x0 + x1) / 2;
  for (const a of l) {
    for (const b of right) {
      const link = links.find((k) => k.from === a.name && k.to === b.name);
      if (!link) continue;
      const tall = link.n * per, ya = from.get(a.name), yb = into.get(b.name);
      from.set(a.name, ya + tall);
      into.set(b.name, yb + tall);
      yield h("path", {
        class: b.step === "cache" ? "fs" : `rib f${b.step}`,
        d: `M${r(x0)} ${r(ya)}C${r(mid)} ${r(ya)} ${r(mid)} ${r(yb)} ${r(x1)} ${r(yb)}L${r(x1)} ${r(yb + tall)}C${r(mid)} ${r(yb + tall)} ${r(mid)} ${r(ya + tall)} ${r(x0)} ${r(ya + tall)}Z`,
      });
    }
  }
}
