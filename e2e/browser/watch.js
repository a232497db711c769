// Runs before the page: what it does that it must not, and what moves in it.
window.seen = {
  policy: [], shifts: [],
  /** The text of a cell of the table in the panel of a title, by its row's first cell and its column's head. */
  cell(panel, row, column) {
    const section = [...document.querySelectorAll("section.panel")].find((p) => p.querySelector("h2").textContent === panel);
    const at = [...section.querySelectorAll("thead th")].findIndex((h) => h.textContent === column);
    return [...section.querySelectorAll("tbody tr")].find((r) => r.cells[0].textContent.trim().startsWith(row)).cells[at].textContent;
  },
  sum: (size) => performance.getEntries().filter((e) => e.entryType === "navigation" || new URL(e.name, location).pathname.startsWith("/static/")).reduce((n, e) => n + (e[size] ?? 0), 0),
};
/** A node that has moved, and how. */
function told({ node, previousRect: a, currentRect: b }) {
  const text = node.textContent.trim().slice(0, 40), around = node.parentElement?.closest("[class]")?.className;
  return `${node.nodeName} ${node.className?.baseVal ?? node.className ?? ""} in ${around}: ${JSON.stringify(text)} by ${Math.round(b.x - a.x)}, ${Math.round(b.y - a.y)}`;
}
document.addEventListener("securitypolicyviolation", (e) => seen.policy.push(`${e.violatedDirective} forbids ${e.blockedURI} (${e.sourceFile}:${e.lineNumber})`));
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) {
    if (shift.hadRecentInput) continue;
    seen.shifts.push({ value: shift.value, of: shift.sources.filter(({ node }) => node).map(told) });
  }
}).observe({ type: "layout-shift", buffered: true });
