// The filters of the request explorer: as the API names them, in the address.

import { html, useRef, useState } from "../core/html.js";
import { change, go } from "../core/router.js";
import { Button, Chip, Field, Menu } from "../parts/controls.js";

const YES = [["true", "yes"], ["false", "no"]];

/** What can be asked for: name of the parameter, its words, and its choices or unit. */
const FILTERS = [
  { name: "model", text: "model" }, { name: "provider", text: "provider" }, { name: "strategy", text: "strategy" },
  { name: "status", text: "status", options: ["ok", "cut_off", "empty", "error", "canceled", "interrupted"].map((s) => [s, s.replace("_", " ")]) },
  { name: "confidence", text: "confidence", options: ["high", "medium", "low"].map((s) => [s, s]) },
  { name: "cache", text: "cache", options: ["hit", "miss", "memory", "redis", "postgres"].map((s) => [s, s]) },
  { name: "failed", text: "failed", options: YES }, { name: "fallbacks", text: "fell back", options: YES },
  { name: "holdout", text: "hold-out", options: YES }, { name: "degraded", text: "degraded", options: YES },
  { name: "min_latency_ms", text: "latency at least", unit: "ms" }, { name: "min_cost_usd", text: "cost at least", unit: "$" }, { name: "min_savings_usd", text: "saving at least", unit: "$" },
  { name: "error", text: "error" }, { name: "experiment", text: "experiment" }, { name: "user_id", text: "user" }, { name: "session_id", text: "session" },
  { name: "key_id", text: "key" }, { name: "caller_id", text: "your own id" },
];

const SINCE = { "1h": ["last hour", 3_600_000], "24h": ["last 24 hours", 86_400_000], "7d": ["last 7 days", 604_800_000] };
export const SINCES = [["any", "any time"], ["1h", "1 h"], ["24h", "24 h"], ["7d", "7 d"]];

/** The API's parameters for a query of the address. now is a time in milliseconds. */
export function parameters(query, now) {
  const asked = new URLSearchParams();
  for (const { name } of FILTERS) for (const value of query.getAll(name)) asked.append(name, value);
  const since = SINCE[query.get("since")], cursor = query.get("cursor");
  if (query.get("from") && (cursor || !since)) asked.set("from", query.get("from"));
  else if (since) asked.set("from", new Date(now - since[1]).toISOString());
  if (query.get("to")) asked.set("to", query.get("to"));
  if (cursor) asked.set("cursor", cursor);
  return asked;
}

export const anyFilter = (query) => [...FILTERS.map((f) => f.name), "since", "from", "to"].some((name) => query.has(name));

/** An address with no filter at all. */
export const noFilter = () => change(Object.fromEntries([...FILTERS.map((f) => f.name), "since", "from", "to", "cursor"].map((name) => [name, null])));

const START = { cursor: null, from: null };

export function Filters({ query }) {
  const chips = FILTERS.flatMap((f) => query.getAll(f.name).map((value) => html`<${Chip} key=${f.name + value} name=${f.text} value=${shown(f, value)}
    without=${change({ ...START, [f.name]: query.getAll(f.name).filter((v) => v !== value) })} />`));
  const since = SINCE[query.get("since")];
  return html`<div class="filters">
    ${since && html`<${Chip} name="time" value=${since[0]} without=${change({ ...START, since: null })} />`}${chips}
    <${AddFilter} />${!chips.length && html`<span class="sub q">model, provider, strategy, status, cache, user, latency, cost, experiment</span>`}
    ${chips.length > 1 && html`<a class="xs" href=${noFilter()}>Clear all</a>`}</div>`;
}

function shown(f, value) {
  const text = f.options?.find(([v]) => v === value)?.[1] ?? value;
  return f.unit === "$" ? `$${text}` : f.unit ? `${text}\u202f${f.unit}` : text;
}

function AddFilter() {
  const [name, setName] = useState("model"), form = useRef(null);
  const filter = FILTERS.find((f) => f.name === name);
  const add = (e) => {
    e.preventDefault();
    const data = new FormData(form.current), value = String(data.get("value")).trim(), q = new URLSearchParams(location.hash.split("?")[1]);
    const one = filter.unit || filter.options === YES;
    if (value) go(change({ ...START, [name]: one ? value : [...new Set([...q.getAll(name), value])] }));
  };
  return html`<${Menu} text="Filter" icon="plus" kind="add left"><form ref=${form} onSubmit=${add}>
    <${Field} label="What" name="name" options=${FILTERS.map((f) => [f.name, f.text])} value=${name} onChange=${(e) => setName(e.target.value)} />
    <${Field} key=${name} label=${filter.unit ? `At least, ${filter.unit === "$" ? "in dollars" : "in milliseconds"}` : "Is"} name="value" options=${filter.options} type=${filter.unit ? "number" : "text"} step="any" min="0" required />
    <button class="btn solid" type="submit">Add</button></form></${Menu}>`;
}

export const ClearFilters = () => html`<${Button} href=${noFilter()}>Clear filters</${Button}>`;
