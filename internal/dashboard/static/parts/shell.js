// What stands around every page: the rail, the head, the banner.

import { degraded } from "../core/degraded.js";
import { age, clock, otherZone, turnZone, zone } from "../core/format.js";
import { html, useEffect, useRef, useState } from "../core/html.js";
import { useLive } from "../core/live.js";
import { to } from "../core/router.js";
import { setTheme, theme, themes } from "../core/theme.js";
import { breakerWord } from "./breakers.js";
import { Button, Dot } from "./controls.js";
import { announce } from "./speech.js";
import { Banner } from "./states.js";

const BEAR = 2500; // an interruption shorter than this gets no banner

/** pages are those that the caller may see; who is who that is. */
export function Rail({ route, pages, who }) {
  const live = useLive();
  useEffect(() => {
    const show = () => { // in the middle, so that there is something to see on both sides
      const now = document.querySelector(".nav [aria-current]"), nav = now?.parentElement;
      if (now) nav.scrollLeft = now.offsetLeft - (nav.clientWidth - now.offsetWidth) / 2;
    }, isNarrow = matchMedia("(max-width: 720px)");
    show();
    isNarrow.addEventListener("change", show);
    return () => isNarrow.removeEventListener("change", show);
  }, [route.page]);
  return html`<header class="rail">
    <a class="brand" href=${to("/")}><svg viewBox="0 0 26 14" aria-hidden="true"><path d="M1.5 2v10M24.5 2v10M1.5 7h23" class="nf si w2" /><circle cx="15.5" cy="7" r="4.4" class="fg" /></svg>busu</a>
    <nav class="nav" aria-label="Pages">${pages.map((p, i) => html`${i > 0 && p.group !== pages[i - 1].group && html`<div class="sep" />`}
      <a key=${p.page} href=${to(`/${p.page}`)} aria-current=${p.page === route.page ? "page" : undefined}>${p.title}</a>`)}
      <div class="sep" /><a href="docs">HTTP reference</a></nav>
    <div class="rail-foot"><${Providers} providers=${(live.mode !== "down" && live.snapshot?.providers) || []} />
      ${live.snapshot?.source === "postgres" && html`<div class="ok"><${Dot} kind="half" />Figures from PostgreSQL</div>`}${otherZone ? html`<${Button} kind="quiet zone" label="Times in ${zone}. Change to ${otherZone}" onClick=${turnZone}>Times in ${zone}</${Button}>` : html`<div>Times in ${zone}</div>`}</div>
    ${who}<${ThemeButton} />
  </header>`;
}

function Providers({ providers }) {
  const ill = providers.filter((p) => p.breaker !== "closed");
  if (!ill.length) return html`<div class="ok">${providers.length ? html`<${Dot} />providers answer` : "\u00a0"}</div>`;
  return ill.map((p) => html`<div class="ok" key=${p.name}><${Dot} kind=${p.breaker === "open" ? "off" : "half"} />${p.name} ${breakerWord(p.breaker)}</div>`);
}

function ThemeButton() {
  const [now, set] = useState(theme);
  const next = themes[(themes.indexOf(now) + 1) % themes.length];
  const turn = () => {
    setTheme(next);
    set(next);
  };
  return html`<${Button} kind="quiet theme" icon="theme" label="Colours: ${now}. Change to ${next}" onClick=${turn}>${now}</${Button}>`;
}

/** The head of a page: its name, what it is of, and its tools. */
export const PageHead = ({ title, sub, crumb, children }) => html`${crumb && html`<div class="crumb">${crumb}</div>`}
  <header class="page-head"><h1 tabindex="-1">${title}</h1>${sub}<div class="tools">${children}</div></header>`;

/** Names the page to the browser, and on arriving from another one moves the focus to its head. */
export function useArrival(title, place) {
  const before = useRef(null);
  useEffect(() => { document.title = `${title} · busu`; }, [title]);
  useEffect(() => {
    if (before.current !== null && before.current !== place) {
      scrollTo(0, 0);
      document.querySelector("h1")?.focus({ preventScroll: true });
    }
    before.current = place;
  }, [place]);
}

/** One banner over all pages: what is degraded, since when, what still works. */
export function DegradedBanner() {
  const live = useLive(), told = useRef(null);
  const banner = bannerOf(live);
  useEffect(() => {
    if (banner && banner.what !== told.current) announce(`${banner.what} ${banner.so}`);
    if (!banner && told.current) announce("The figures are live again.");
    told.current = banner?.what ?? null;
  }, [banner?.what]);
  if (!banner) return null;
  return html`<${Banner} ...${banner} action=${banner.next && html`<${Button} icon="retry" onClick=${() => live.feed.start()}>Try now</${Button}>`} />`;
}

function bannerOf(live) {
  const { mode, snapshot } = live, { problem, nextTry } = live.feed.state;
  if (mode === "down" && (!snapshot || live.downFor > BEAR)) {
    const kept = snapshot ? `These figures are of ${clock(Date.parse(snapshot.as_of))}.` : "";
    const id = problem.requestID ? `Request ${problem.requestID}.` : "";
    return { mood: "bad", what: problem.status ? "The figures cannot be read." : "busu does not answer.",
      so: [problem.message, id, kept].filter(Boolean).join(" "), next: `Next try in ${age(nextTry - performance.now())}.` };
  }
  if (!snapshot || ["locked", "paused", "down", "reconnecting"].includes(mode)) return null;
  return degraded({ snapshot, stale: live.stale, checks: live.checks });
}
