// What was decided of late: experiments, models, the guard. Read from the stream
// now and then instead of being followed, for a browser has few connections to
// one server and each open page would hold one of them.

import { client } from "./client.js";
import { count, number, percent, percentage } from "./format.js";
import { html } from "./html.js";
import { useData } from "./data.js";
import { drain } from "./stream.js";

const KEPT = 100;
let lastID = "", found = [];
client.onCaller(() => { [lastID, found] = ["", []]; }); // another caller may be of another project

async function ask(path, signal) {
  const { events, lastID: id } = await drain(lastID ? path : `${path}?from=start`, { signal, lastID });
  lastID = id;
  const news = events.filter((e) => words[e.name]).map((e) => JSON.parse(e.data));
  found = [...found, ...news].filter((d, i, all) => all[i + 1]?.type !== "model.published" || d.type !== "model.published").slice(-KEPT); // of models in a row, the last
  return found.map((d) => ({ key: d.id, at: Date.parse(d.at), decision: d }));
}

/** Decisions as {key, at, decision}, oldest first, as a result of useData. */
export const useDecisions = () => useData("stream/decisions", { every: 15_000, ask });

const verdict = (d) => html`<a href=${`#/experiments/${encodeURIComponent(d.experiment_id)}`}>${d.name}</a>: ${d.verdict}`;

const words = {
  "experiment.started": (d) => html`Experiment <a href=${`#/experiments/${encodeURIComponent(d.experiment_id)}`}>${d.name}</a> started, for ${count(d.sample_size)} users`,
  "experiment.decided": verdict,
  "experiment.invalid": verdict,
  "model.published": (d) => html`Learned snapshot ${d.snapshot} published for ${d.strategy}, from ${count(d.verdicts)} verdicts`,
  "guard.tripped": (d) => html`<span class="bad">Guard tripped</span>: ${d.metric === "quality" ? `quality ${number(d.difference, 3)}` : `good answers ${percent(percentage(100 * d.difference))}`} against the hold-out`,
};

/** A decision in words; made when it is drawn, for what is drawn keeps the page that it was drawn in. */
export const inWords = (d) => words[d.type](d);
