// How the providers fare: breaker, errors, since when, what waits.

import { age, count, duration, percent, share } from "../core/format.js";
import { html } from "../core/html.js";
import { Dot } from "./controls.js";
import { Table } from "./table.js";

const STATES = { closed: ["", "closed", ""], half_open: ["half", "half-open", "warn"], open: ["off", "open", "bad"] };

export const breakerWord = (state) => STATES[state]?.[1] ?? state;

/** providers of a snapshot, and the requests of a report by provider. */
export function breakerTable(providers, byProvider) {
  const told = providers.some((p) => p.in_flight !== undefined); // calls of all projects, to whom they are shown
  return {
    head: ["Provider", "Breaker", ">For", ">Errors", ...(told ? [">In flight"] : [])], widths: [76, 72, 64, 46, ...(told ? [60] : [])],
    rows: providers.map((p) => {
      const [dot, word, mood] = STATES[p.breaker] ?? ["wait", p.breaker, ""], s = byProvider[p.name];
      return [p.name, { show: html`<${Dot} kind=${dot} /> <span class=${mood}>${word}</span>`, value: word }, age(p.breaker_for_ms),
        percent(share(s?.errors, s?.requests)), ...(told ? [{ show: html`${count(p.in_flight)} <small>of ${count(p.limit)}</small>`, value: p.in_flight }] : [])];
    }),
  };
}

export const Breakers = ({ providers, byProvider }) => html`<${Table} ...${breakerTable(providers, byProvider)} caption="Circuit breakers by provider" cls="nowrap" nothing="No provider has been asked yet." />
  ${providers.filter((p) => p.breaker !== "closed" || p.waiting > 0).map((p) => html`<p class="note" key=${p.name}>${trouble(p)}</p>`)}`;

function trouble(p) {
  if (p.breaker === "open") return `${p.name}: next probe in ${age(p.next_probe_ms)}. Its traffic goes to other models meanwhile.`;
  if (p.breaker === "half_open") return `${p.name}: one call at a time goes through, and decides.`;
  return `${p.name}: ${count(p.waiting)} wait, the longest for ${duration(p.oldest_wait_ms)}.`;
}
