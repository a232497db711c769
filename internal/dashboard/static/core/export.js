// A panel's content as a file: its table as CSV, its drawing as PNG.

/** Offers a blob as a file to keep. */
export function save(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Rows of cells as CSV (RFC 4180). Text that a spreadsheet would take for a formula is quoted by an apostrophe. */
export function csv(head, rows) {
  return [head, ...rows].map((cells) => cells.map(cell).join(",") + "\r\n").join("");
}

function cell(value) {
  let text = String(value ?? "").replaceAll("\u202f", " ").replaceAll("\u2212", "-");
  if (typeof value === "string" && /^[=+@\t]|^-(?![\d.])/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const saveCSV = (name, head, rows) => save(`${name}.csv`, new Blob([csv(head, rows)], { type: "text/csv" }));

const DRAWN = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "paint-order", "opacity",
  "font-family", "font-size", "font-weight", "text-anchor", "font-variant-numeric", "shape-rendering"];

/** An SVG of the page as PNG, at twice its size, on paper of the theme. */
export async function savePNG(name, svg) {
  const { width, height } = svg.getBoundingClientRect();
  const copy = svg.cloneNode(true);
  const from = [svg, ...svg.querySelectorAll("*")], into = [copy, ...copy.querySelectorAll("*")];
  from.forEach((node, i) => {
    const look = getComputedStyle(node);
    for (const name of DRAWN) into[i].setAttribute(name, look.getPropertyValue(name));
  });
  const hatch = document.getElementById("hatch");
  if (hatch) copy.prepend(drawnCopy(hatch));
  copy.setAttribute("xmlns", svg.namespaceURI);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * height });
  const pen = canvas.getContext("2d");
  pen.fillStyle = getComputedStyle(document.body).backgroundColor;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  save(`${name}.png`, await new Promise((done) => canvas.toBlob(done)));
}

function drawnCopy(hatch) {
  const copy = hatch.cloneNode(true);
  copy.firstElementChild.setAttribute("stroke", getComputedStyle(hatch.firstElementChild).stroke);
  copy.firstElementChild.setAttribute("stroke-width", "1.25");
  return copy;
}
