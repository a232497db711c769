// The page at /: joins the live feed, the chosen window and the view.

import { degraded } from "./banner.js";
import { Charts, seriesRows } from "./chart.js";
import { byId, fillRows, put } from "./dom.js";
import { Client, Feed } from "./feed.js";
import { age, clock, zone } from "./format.js";
import { History } from "./history.js";
import { Ramp } from "./ramp.js";
import * as view from "./view.js";

const REPORT = 5000; // between reports of a longer window
const FRESH = 5000; // a snapshot that has not moved for longer is stale
const LOOK = 3000; // between looks at what the server needs
const BEAR = 2500; // an interruption shorter than this gets no banner
const SPEAK = 30_000; // between sentences for those who listen

const client = new Client();
const history = new History(), ramp = new Ramp();
const charts = new Charts(byId("chart-rate"), byId("chart-latency"));
const feed = new Feed(client, take, showState);

let snapshot = null, movedAt = 0; // when its as_of last advanced, by our own clock
let checks = null; // of /readyz, as they were last
let report = null, reportProblem = null, reportTimer = 0;
let chosen = windowOfURL();
let downSince = 0, toldOf, spokeAt = performance.now() - SPEAK + 3000, triedKey = false;

function take(s) {
  if (s.as_of !== snapshot?.as_of) movedAt = performance.now();
  snapshot = s;
  history.push(s);
  if (chosen === "1m") report = s;
  show();
}

// Freshness is measured by our clock since as_of moved, for the server's may differ.
const old = () => performance.now() - movedAt;
const stale = () => Boolean(snapshot && (snapshot.stale || old() > FRESH));

function show() {
  const s = snapshot;
  const empty = s.totals?.total_requests === 0;
  byId("locked").hidden = true;
  byId("empty").hidden = !empty;
  byId("figures").hidden = empty;
  ramp.learn(s.by_model, report?.by_model ?? {});
  view.showNow(s);
  showReport();
  drawCharts();
  showState();
  speak();
}

function showReport() {
  const shown = report ?? (reportProblem && snapshot); // rather the last minute than nothing
  byId("figures").classList.toggle("waiting", shown?.window !== chosen && !reportProblem);
  byId("figures").setAttribute("aria-busy", String(!shown));
  if (!shown) return;
  let note = "";
  if (shown.window !== "1m" && (shown.stale || reportProblem)) note = `as of ${clock(Date.parse(shown.as_of))}`;
  if (shown.window !== chosen && reportProblem) note = `for ${chosen} cannot be read now`;
  view.showReport(shown, ramp, note);
}

function drawCharts() {
  if (!history.points.length) return;
  const last = history.points.at(-1).t;
  charts.draw(history, ramp, stale() ? last + old() : last);
  if (byId("series").open) fillRows(byId("series-rows"), seriesRows(history), "");
}

/** Speaks now and then of how it goes, and at once of what is wrong. */
function speak() {
  if (report && !toldOf && performance.now() - spokeAt > SPEAK) tell(view.spoken(snapshot, report));
}

function tell(what) {
  spokeAt = performance.now();
  put("spoken", what);
}

/** Runs on each change of the feed and each second. */
function showState() {
  const { mode } = feed.state;
  if (mode === "down" || mode === "reconnecting") downSince ||= performance.now();
  else if (mode !== "connecting") downSince = 0;
  if (mode === "locked") askForKey();
  view.showStatus(feed.state, { asOf: snapshot && Date.parse(snapshot.as_of), old: old(), stale: stale() });
  const banner = bannerNow();
  view.showBanner(banner);
  if (banner && banner.what !== toldOf) tell(`${banner.what} ${banner.so}`);
  if (!banner && toldOf && (mode === "live" || mode === "polling")) tell("The figures are live again.");
  if (banner || mode === "live" || mode === "polling") toldOf = banner?.what;
  view.setPaused(mode === "paused");
}

function bannerNow() {
  const { mode, problem, nextTry } = feed.state;
  if (mode === "down" && (!snapshot || performance.now() - downSince > BEAR)) {
    const kept = snapshot ? `These figures are of ${clock(Date.parse(snapshot.as_of))}. ` : "";
    const id = problem.requestID ? ` Request ${problem.requestID}.` : "";
    return {
      bad: true, what: problem.status ? "The figures cannot be read." : "busu does not answer.",
      so: `${sentence(problem.message)}${id} ${kept}`,
      next: `Next try in ${age(nextTry - performance.now())}.`,
    };
  }
  if (!snapshot || mode === "locked" || mode === "paused" || mode === "down" || mode === "reconnecting") return null;
  return degraded({ snapshot, stale: stale(), checks });
}

async function look() {
  const { mode } = feed.state;
  if (mode === "live" || mode === "polling") {
    checks = await client.checks();
    showState();
  }
  setTimeout(look, LOOK);
}

const sentence = (s) => s.charAt(0).toUpperCase() + s.slice(1).replace(/[^.]$/, "$&.");

function askForKey() {
  const first = byId("locked").hidden;
  byId("locked").hidden = false;
  byId("figures").hidden = byId("empty").hidden = true;
  put("key-error", triedKey ? "This key was not accepted." : "", "bad");
  if (first && !byId("locked").contains(document.activeElement)) byId("key").focus();
}

// The chosen window is kept in the URL. The last minute comes with the feed,
// the others are asked for.

function windowOfURL() {
  const name = new URLSearchParams(location.search).get("window");
  return view.WINDOWS.includes(name) ? name : view.WINDOWS[0];
}

function choose(name) {
  chosen = name;
  reportProblem = null;
  view.showChosenWindow(name);
  if (name === "1m" && snapshot) report = snapshot;
  askForReport();
  if (snapshot) show();
}

async function askForReport() {
  clearTimeout(reportTimer);
  const asked = chosen;
  if (asked === "1m") return;
  const { mode } = feed.state;
  if (mode === "live" || mode === "polling" || (mode === "paused" && report?.window !== asked)) {
    try {
      const answer = await client.get(`routing/metrics?window=${asked}`);
      if (asked !== chosen) return;
      [report, reportProblem] = [answer, null];
    } catch (problem) {
      if (asked !== chosen) return;
      reportProblem = problem;
    }
    if (snapshot && feed.state.mode !== "locked") show();
    clearTimeout(reportTimer);
    reportTimer = setTimeout(askForReport, REPORT);
    return;
  }
  reportTimer = setTimeout(askForReport, 250);
}

byId("windows").addEventListener("click", (e) => {
  const link = e.target.closest("a");
  if (!link || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
  e.preventDefault();
  if (new URL(link.href).search === location.search) return;
  window.history.pushState(null, "", link.href);
  choose(windowOfURL());
});
addEventListener("popstate", () => choose(windowOfURL()));

byId("unlock").addEventListener("submit", (e) => {
  e.preventDefault();
  triedKey = true;
  client.useKey(byId("key").value.trim());
  byId("key").value = "";
  put("key-error", "");
  feed.start();
});

byId("retry").addEventListener("click", () => feed.start());
byId("pause").addEventListener("click", () => (feed.state.mode === "paused" ? feed.start() : feed.pause()));
byId("series").addEventListener("toggle", drawCharts);

byId("theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark"
    || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const theme = dark ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("busu-theme", theme); } catch { /* storage is off */ }
});

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  const label = button.getAttribute("aria-label");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.setAttribute("aria-label", "Copied");
    setTimeout(() => button.setAttribute("aria-label", label), 2000);
  });
}

const wake = () => { if (feed.state.mode === "down") feed.start(); };
addEventListener("online", wake);
document.addEventListener("visibilitychange", () => { if (!document.hidden) wake(); });

put("curl", `curl -s ${client.url("complete")} -H 'Content-Type: application/json' \\\n  -d '{"prompt": "What is the capital of France?", "user_id": "ada"}'`);
put("zone", `Times in ${zone}`);
view.showChosenWindow(chosen);
setInterval(() => {
  showState();
  if (stale()) drawCharts();
}, 1000);
feed.start();
askForReport();
look();
