// Runs before the page: what it does that it must not, and what moves in it.
window.seen = { policy: [], shifts: [] };
document.addEventListener("securitypolicyviolation", (e) => seen.policy.push(`${e.violatedDirective} forbids ${e.blockedURI} (${e.sourceFile}:${e.lineNumber})`));
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) {
    if (shift.hadRecentInput) continue;
    seen.shifts.push({ value: shift.value, of: shift.sources.map(({ node }) => node && `${node.nodeName} ${node.className?.baseVal ?? node.className ?? ""}`) });
  }
}).observe({ type: "layout-shift", buffered: true });
