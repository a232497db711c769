// What every page has to be. Gives complaints, in words.

const STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

async function violations(options) {
  const { violations } = await axe.run(document, { resultTypes: ["violations"], ...options });
  return violations.map((v) => `axe: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 160)} (${n.failureSummary.split("\n").slice(1).join(" ").trim()})`).join("; ")}`);
}

/** True after the browser has drawn what was asked for before. */
const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

async function judge() {
  await drawn();
  const complaints = await violations({ runOnly: STANDARD });
  const heads = document.querySelectorAll("h1").length;
  if (heads !== 1) complaints.push(`it has ${heads} h1`);
  const odd = document.body.innerText.match(/.*\b(NaN|undefined|null|Infinity|\[object)\b.*/);
  if (odd) complaints.push(`it says ${JSON.stringify(odd[0])}`);
  complaints.push(...unpainted());
  return [...complaints, ...seen.policy.map((p) => `the policy: ${p}`)];
}

/** Marks with a class that the style sheet does not know: they are black, which is no colour of ours. */
function unpainted() {
  const marks = [...document.querySelectorAll("#main svg :is(rect, circle, path, polygon, text)")].filter((m) => !m.closest("defs, clipPath"));
  const black = marks.filter((m) => getComputedStyle(m).fill === "rgb(0, 0, 0)" && m.getBBox().width > 0);
  return [...new Set(black.map((m) => `no rule paints <${m.nodeName} class="${m.className.baseVal}">`))];
}

async function judgeLook() {
  await drawn();
  const complaints = await violations({ runOnly: { type: "rule", values: ["color-contrast", "target-size"] } });
  const over = document.documentElement.scrollWidth - innerWidth;
  if (over > 0) complaints.push(`it is ${over} px wider than the window: ${wider().join(", ")}`);
  return complaints;
}

/** The innermost elements that reach beyond the window, of those that do not scroll themselves. */
function wider() {
  const out = [...document.querySelectorAll("#main *, .rail *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".tw"));
  return out.filter((e) => !out.some((o) => o !== e && e.contains(o))).slice(0, 3).map((e) => e.outerHTML.slice(0, 120));
}
