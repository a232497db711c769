// Tables. A column is its head, led by ">" where it holds numbers. A row is an
// array of cells, or {cells, cls, key}. A cell is text, a drawing, or {show,
// value, mood}: value is what an export writes.

import { html } from "../core/html.js";

const shown = (cell) => (cell && typeof cell === "object" && "show" in cell ? cell.show : cell);
const written = (cell) => (cell && typeof cell === "object" ? ("value" in cell ? cell.value : "") : cell);

export function Table({ head, rows, caption, cls = "", nothing = "Nothing." }) {
  const isNumber = head.map((h) => h.startsWith(">"));
  return html`<div class="tw" tabindex="0" role="group" aria-label=${caption}><table class=${cls}><caption class="vh">${caption}</caption>
    <thead><tr>${head.map((h, i) => (/^>?$/.test(h) ? html`<td key=${h} />` : html`<th key=${h} scope="col" class=${isNumber[i] ? "num" : ""}>${h.replace(/^>/, "")}</th>`))}</tr></thead>
    <tbody>${rows.length ? rows.map((row, n) => drawRow(row, isNumber, n)) : html`<tr><td class="none" colspan=${head.length}>${nothing}</td></tr>`}</tbody></table></div>`;
}

function drawRow(row, isNumber, n) {
  const { cells, cls, key } = Array.isArray(row) ? { cells: row, key: n } : row;
  return html`<tr key=${key} class=${cls}>${cells.map((cell, i) => {
    const look = `${isNumber[i] ? "num" : ""} ${cell?.mood ?? ""}`.trim();
    return i === 0 ? html`<th key=${i} scope="row" class=${look}>${shown(cell)}</th>` : html`<td key=${i} class=${look}>${shown(cell)}</td>`;
  })}</tr>`;
}

/** The same as an export writes it. */
export const forExport = ({ head, rows }) => [head.map((h) => h.replace(/^>/, "")), rows.map((row) => (Array.isArray(row) ? row : row.cells).map(written))];
