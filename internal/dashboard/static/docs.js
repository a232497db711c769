// What the page at /docs can do beyond being read: find, copy, show where one is, name this server in the commands.

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);

// Commands go to where this page came from.
const base = new URL(".", location).href.replace(/\/$/, "");
for (const node of all(".base")) node.textContent = base;

const theme = byId("theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const { dataset } = document.documentElement;
  const dark = dataset.theme ? dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("busu-theme", dataset.theme); } catch { /* storage is off */ }
});

// Pages that came over plain HTTP from another machine have no clipboard.
if (navigator.clipboard) {
  for (const button of all(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = button.parentElement.querySelector("code").textContent;
      const done = await navigator.clipboard.writeText(text).then(() => true, () => false);
      button.title = done ? "Copied" : "Not copied: select it by hand";
      button.setAttribute("aria-label", button.title);
      setTimeout(() => {
        button.title = "Copy";
        button.setAttribute("aria-label", "Copy");
      }, 2000);
    });
  }
}

// Finding: operations stay whose text has every word.
const query = byId("query");
const operations = all(".operation");
const texts = new Map(operations.map((node) => [node, node.textContent.toLowerCase()]));
const links = new Map();
for (const link of all(".index a, .group > header li a")) {
  const id = link.hash.slice(1);
  links.set(id, [...(links.get(id) ?? []), link]);
}

function find() {
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const [node, text] of texts) {
    const stays = words.every((word) => text.includes(word));
    node.hidden = !stays;
    for (const link of links.get(node.id) ?? []) link.parentElement.hidden = !stays;
    found += stays;
  }
  for (const group of all(".group")) {
    group.hidden = !group.querySelector(".operation:not([hidden])");
    for (const link of links.get(group.id) ?? []) link.parentElement.hidden = group.hidden;
  }
  byId("about").hidden = words.length > 0;
  byId("none").hidden = found > 0;
}
query.addEventListener("input", find);
byId("find").hidden = false;
byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  byId("main").focus();
});
addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest("input")) {
    event.preventDefault();
    query.focus();
  } else if (event.key === "Escape" && event.target === query) {
    query.value = "";
    find();
  }
});

// A place that was asked for must not be hidden by what is sought.
addEventListener("hashchange", () => {
  const target = byId(location.hash.slice(1));
  if (!target?.closest("[hidden]")) return;
  query.value = "";
  find();
  target.scrollIntoView();
});

// The operation at the top of the window is marked in the index.
let current;
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.get(current) ?? []) link.removeAttribute("aria-current");
    current = entry.target.id;
    for (const link of links.get(current) ?? []) {
      link.setAttribute("aria-current", "true");
      if (link.closest(".index")) link.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }
}, { rootMargin: "-10% 0px -85% 0px" });
for (const node of [byId("about"), ...operations]) seen.observe(node);
