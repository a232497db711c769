// Small helpers over the document. Text is only ever set as text, never parsed.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

const named = new Map();
for (const node of document.querySelectorAll("[data-v]")) named.set(node.dataset.v, node);

/** Writes into the element marked data-v=name, when that changes anything. */
export function put(name, text, mood = "") {
  const node = named.get(name);
  write(node, text);
  if (node.dataset.mood !== mood) {
    node.classList.remove("warn", "bad");
    if (mood) node.classList.add(mood);
    node.dataset.mood = mood;
  }
}

export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export const html = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
export const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/**
 * Makes rows of a table body show cells, keeping the nodes of names that stay.
 * A row is {name, key, cells: [text or {text, mood}]}; key is the class of its swatch.
 */
export function fillRows(body, rows, nothing) {
  const old = new Map([...body.children].map((tr) => [tr.dataset.name, tr]));
  const next = rows.length ? rows.map((row) => fillRow(old.get(row.name) ?? makeRow(row), row)) : [nothingRow(body, old.get(""), nothing)];
  if (next.length !== body.children.length || next.some((tr, i) => tr !== body.children[i])) body.replaceChildren(...next);
}

function makeRow({ name, key, cells }) {
  const head = html("th", { scope: "row" }, ...(key === undefined ? [] : [html("span", { class: "key" })]), name);
  const tr = html("tr", {}, head, ...cells.map(() => html("td", { class: "num" })));
  tr.dataset.name = name;
  return tr;
}

function fillRow(tr, { key, cells }) {
  if (key !== undefined) tr.querySelector(".key").setAttribute("class", `key ${key}`);
  cells.forEach((cell, i) => {
    const td = tr.children[i + 1];
    write(td, cell.text ?? cell);
    td.className = cell.mood ? `num ${cell.mood}` : "num";
  });
  return tr;
}

function nothingRow(body, tr, text) {
  const columns = body.parentElement.tHead.rows[0].cells.length;
  tr ??= html("tr", { "data-name": "" }, html("td", { class: "none", colspan: columns }));
  write(tr.firstChild, text);
  return tr;
}
