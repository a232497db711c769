// Tables. A column is its head, led by ">" where it holds numbers. A row is an
// array of cells, or {cells, cls, key}. A cell is text, a drawing, or {show,
// value, mood}: value is what an export writes. widths are those of the columns,
// in pixels, at least: with them, nothing in the table moves with its figures.

import { html, wordsOf } from "../core/html.js";

const shown = (cell) => (cell && typeof cell === "object" && "show" in cell ? cell.show : cell);
const written = (cell) => (cell && typeof cell === "object" ? ("value" in cell ? cell.value : "") : cell);

/** The columns of a table whose widths do not depend on what is in them. */
export const Columns = ({ widths }) => html`<colgroup>${widths.map((w, i) => html`<col key=${i} width=${w} />`)}</colgroup>`;

export function Table({ head, rows, widths, caption, cls = "", nothing = "Nothing." }) {
  const isNumber = head.map((h) => h.startsWith(">"));
  return html`<div class="tw" tabindex="0" role="group" aria-label=${caption}><table class="${cls} ${widths ? "fixed" : ""}"><caption class="vh">${caption}</caption>${widths && html`<${Columns} widths=${widths} />`}
    <thead><tr>${head.map((h, i) => (/^>?$/.test(h) ? html`<td key=${h} />` : html`<th key=${h} scope="col" class=${isNumber[i] ? "num" : ""}>${h.replace(/^>/, "")}</th>`))}</tr></thead>
    <tbody>${rows.length ? rows.map((row, n) => drawRow(row, isNumber, n)) : html`<tr><td class="none" colspan=${head.length}>${nothing}</td></tr>`}</tbody></table></div>`;
}

function drawRow(row, isNumber, n) {
  const { cells, cls, key } = Array.isArray(row) ? { cells: row, key: n } : row;
  return html`<tr key=${key} class=${cls}>${cells.map((cell, i) => {
    const look = `${isNumber[i] ? "num" : ""} ${cell?.mood ?? ""}`.trim(), what = shown(cell);
    return i === 0 ? html`<th key=${i} scope="row" class=${look}>${what}</th>` : html`<td key=${isNumber[i] ? `${i} ${wordsOf(what)}` : i} class=${look}>${what}</td>`;
  })}</tr>`;
}

/** The same as an export writes it. */
export const forExport = ({ head, rows }) => [head.map((h) => h.replace(/^>/, "")), rows.map((row) => (Array.isArray(row) ? row : row.cells).map(written))];
