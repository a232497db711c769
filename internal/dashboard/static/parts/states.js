// What is shown instead of figures, and beside them when something is wrong.

import { age, capital, clock, fullStop } from "../core/format.js";
import { html, useEffect, useState } from "../core/html.js";
import { useLive } from "../core/live.js";
import { Button, Copy, Dot } from "./controls.js";
import { Icon } from "./icons.js";

/** A still shape in the final size; nothing for the first 200 ms. kind: line, figure, or a height in pixels. */
export const Still = ({ kind = "line", height }) => html`<svg class="still ${kind}" height=${height} width="100%" aria-hidden="true"><rect width="100%" height="100%" rx="2" class="fs" /></svg>`;

/** What went wrong inside a panel: the cause, another try, the request's id. */
export function Failure({ problem, retry }) {
  const title = problem.status === 503 ? "This cannot be read now." : problem.status ? "This could not be read." : problem.late ? "This takes too long now." : "busu does not answer.";
  return html`<div class="center failure" role="alert">
    <p><b>${title}</b></p><p class="note nm">${capital(fullStop(problem.message))}</p>
    ${retry && html`<p class="row"><${Button} icon="retry" onClick=${retry}>Try again</${Button}></p>`}
    <p class="t xs">${problem.requestID && html`request <span class="mono">${problem.requestID}</span> · `}${clock(problem.at ?? Date.now())}</p>
  </div>`;
}

/** A ruled note over the page. mood: bad, or "". action: what can be done. */
export const Banner = ({ what, so, next, mood = "", action }) => html`<div class="banner ${mood}" role="status">
  <${Icon} name="warn" /><div><strong>${what}</strong> ${so} ${next}</div>${action && html`<div class="r">${action}</div>`}</div>`;

/** A command or setting to copy. */
export const Command = ({ text }) => html`<div class="cmd"><code tabindex="0">${text}</code><${Copy} text=${text} what="this command" /></div>`;

/** Nothing to show yet: a sentence, and what to do: steps are [text, command]. */
export const Empty = ({ title, children, steps = [] }) => html`<section class="emp">
  <div><h2 class="say">${title}</h2>${children && html`<p class="note">${children}</p>`}</div>
  <ol class="steps">${steps.map(([text, command]) => html`<li key=${text}><div><p>${text}</p>${command && html`<${Command} text=${command} />`}</div></li>`)}</ol>
</section>`;

/** Nothing inside one panel: a sentence, and perhaps what to do. */
export const Nothing = ({ title, children }) => html`<div class="center"><p><b>${title}</b></p>${children && html`<p class="note nm">${children}</p>`}</div>`;

/** Draws again each second, for ages. */
export function useSeconds() {
  const [, again] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => again((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, []);
}

/** How old what is shown is: of a result of useData. */
export function AsOf({ of }) {
  useSeconds();
  if (!of.data) return null;
  const at = Date.parse(of.data.as_of ?? "") || of.at;
  const old = of.problem || of.data.stale;
  return html`<span class="sub asof ${old ? "warn" : ""}"><${Dot} kind=${old ? "half" : ""} /> as of ${old ? clock(at) : `${age(Date.now() - of.at)} ago`}</span>`;
}

/** How the live feed is. */
export function FeedStatus() {
  const live = useLive();
  const asOf = live.snapshot && Date.parse(live.snapshot.as_of);
  const at = asOf ? ` as of ${clock(asOf)}` : "", fresh = asOf ? `as of ${age(live.old)} ago` : "";
  const [dot, text, mood] = {
    connecting: ["wait", "connecting", ""],
    live: live.stale ? ["half", `stale,${at}`, "warn"] : ["", fresh, ""],
    polling: live.stale ? ["half", `stale,${at}`, "warn"] : ["", `${fresh}, polling`, ""],
    reconnecting: ["half", `reconnecting${at && ","}${at}`, "warn"],
    down: ["off", `disconnected${at && ","}${at}`, "bad"],
    locked: ["wait", "signed out", ""],
    paused: ["half", `paused,${at}`, "warn"],
  }[live.mode];
  return html`<span class="sub ${mood}"><${Dot} kind=${dot} /> ${text}</span>`;
}
