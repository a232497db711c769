// A panel: a rule, a title, a unit and content. It shows what there is, keeps
// it when asking again fails, and says what went wrong; a fault in drawing one
// panel leaves its neighbours alone.

import { saveCSV, savePNG } from "../core/export.js";
import { clock } from "../core/format.js";
import { html, useErrorBoundary, useId, useRef } from "../core/html.js";
import { change, go, here } from "../core/router.js";
import { Button, Tag } from "./controls.js";
import { Failure, Still } from "./states.js";
import { Table, forExport } from "./table.js";

/**
 * title and unit stand over it. of is a result of useData; without it there is
 * always something to show. children is a function that draws when there is data.
 * height, in pixels, is that of what will be drawn.
 *
 * With table, a function that gives {head, rows}, it can be shown as a table; name
 * is then what an export is called: what is shown is exported, a drawing as PNG
 * and a table as CSV.
 */
export function Panel({ title, unit, note, of, height = 190, table, name = "figures", acts, children }) {
  const id = useId(), body = useRef(null), asTable = isTable(name);
  const ready = !of || of.data !== null;
  const old = of && ready && (of.problem || of.data.stale);
  return html`<section class="panel ${of?.waiting && ready ? "waiting" : ""}" aria-labelledby=${id} aria-busy=${ready || of.problem ? undefined : "true"}>
    <header><h2 id=${id}>${title}</h2>${unit && html`<span class="unit">${unit}</span>`}
      ${old && html`<${Tag} mood="warn">as of ${clock(Date.parse(of.data.as_of ?? "") || of.at)}</${Tag}>`}
      ${(table || acts) && html`<div class="acts">${acts}${table && ready && html`<${Acts} ...${{ title, name, table, body }} />`}</div>`}</header>
    <div ref=${body}>${ready ? (asTable && table ? html`<${Table} ...${table()} caption=${title} />` : html`<${Guarded}>${children}</${Guarded}>`)
      : of.problem ? html`<${Failure} problem=${of.problem} retry=${of.retry} />` : html`<${Still} height=${height} />`}</div>
    ${note && ready && html`<p class="note">${note}</p>`}
  </section>`;
}

/** What is shown as a table is in the address. */
const shownAsTables = () => here().query.getAll("table");
export const isTable = (name) => shownAsTables().includes(name);

/** A chart within something else, with its table behind it as in a Panel; under a small head where there is a unit, else under what names it already. */
export function Sketch({ title, unit, name, table, children }) {
  const body = useRef(null), acts = html`<span class="acts"><${Acts} ...${{ title, name, table, body }} /></span>`;
  return html`${unit ? html`<h3>${title} <span>${unit}</span>${acts}</h3>` : acts}
    <div ref=${body}>${isTable(name) ? html`<${Table} ...${table()} caption=${title} />` : children}</div>`;
}

/** Turns what is shown under a name into its table and back, and keeps what is shown. body holds the drawing; without one it is the table that is kept. */
export function Acts({ title, name, table, body }) {
  const asTable = isTable(name), draws = body && !asTable, turn = () => go(change({ table: asTable ? shownAsTables().filter((n) => n !== name) : [...shownAsTables(), name] }), { replace: true });
  const what = title.charAt(0).toLowerCase() + title.slice(1);
  const keep = () => {
    const drawing = draws && body.current.querySelector("svg[role=img]");
    if (drawing) savePNG(name, drawing);
    else saveCSV(name, ...forExport(table()));
  };
  return html`<${Button} kind="icon" icon=${asTable ? "chart" : "table"} aria-pressed=${String(asTable)} label="Show ${what} as a ${asTable ? "drawing" : "table"}" onClick=${turn} />
    <${Button} kind="icon" icon="save" label="Export ${what} as ${draws ? "PNG" : "CSV"}" onClick=${keep} />`;
}

/** Draws its children; says what went wrong when that fails. */
export function Guarded({ children }) {
  const [problem, reset] = useErrorBoundary((err) => console.error(err));
  if (problem) return html`<${Failure} problem=${{ status: 1, message: `The page failed to draw it: ${problem.message}` }} retry=${reset} />`;
  return html`<${Drawn} draw=${children} />`;
}

const Drawn = ({ draw }) => (typeof draw === "function" ? draw() : draw);
