// Figures in words and lists: key figures, names with values, what happened,
// the line of the pipeline, sentences that conclude.

import { when } from "../core/format.js";
import { html, wordsOf } from "../core/html.js";
import { Spark } from "../charts/spark.js";
import { Icon } from "./icons.js";
import { Still } from "./states.js";

/** One figure; value null is not there yet. spark are its recent values, sub the texts that stand below, each other one, a figure, in bold. */
export function KeyFigure({ name, value, unit, sub, spark, mood = "" }) {
  return html`<div class="kpi"><dt class="k">${name}</dt>
    <dd key="v ${value} ${unit}" class="v ${mood}">${value === null ? html`<${Still} kind="figure" height="26" />` : html`${value}<small>${unit}</small>`}</dd>
    ${spark && html`<dd key="spark"><${Spark} values=${spark} /></dd>`}<dd key="s ${sub}" class="s">${sub ? sub.map((text, i) => (i % 2 ? html`<b>${text}</b>` : text)) : "\u00a0"}</dd></div>`;
}

export const KeyFigures = ({ label, children, cls = "" }) => html`<dl class="kpis ${cls}" aria-label=${label}>${children}</dl>`;

/** Names with values: rows are [name, value]. */
export const KeyValues = ({ rows, cls = "rows" }) => html`<dl class="kv ${cls}">${rows.filter(Boolean).map(([name, value]) => html`<dt>${name}</dt><dd key=${wordsOf([name, value])}>${value}</dd>`)}</dl>`;

/** What happened, newest first: {at, text, key}. */
export const EventLine = ({ events, nothing }) => (events.length
  ? html`<ol class="ev">${events.map((e) => html`<li key=${e.key}><time dateTime=${new Date(e.at).toISOString()}>${when(e.at)}</time><div>${e.text}</div></li>`)}</ol>`
  : html`<p class="note nm">${nothing}</p>`);

/** Conditions that must hold: {ok: true, false or null, name, about, since}. */
export const CheckList = ({ checks }) => html`<ul class="check">${checks.map((c) => html`<li key=${c.name}>
  <span class=${c.ok ? "good" : c.ok === false ? "bad" : "t"}><${Icon} name=${c.ok ? "check" : c.ok === false ? "cross" : "clock"} /></span>
  <div>${c.name}<br /><span class="t">${c.about}</span></div><span class="q">${c.since}</span></li>`)}</ul>`;

/** Stations on a line: {name, rows, rate, state}; state: "", late, broken, end. rate stands on the way to the next. */
export const StationLine = ({ stations }) => html`<ol class="line n${stations.length}">${stations.map((s) => html`<li key=${s.name} class=${s.state}>
  ${s.rate && html`<span class="rate">${s.rate}</span>`}<h3>${s.name}</h3><dl>${s.rows.map(([name, value, mood]) => html`<dt>${name}</dt><dd key="${name} ${value}" class=${mood}>${value}</dd>`)}</dl></li>`)}</ol>`;

const MARKS = { win: "check", lose: "cross", open: "clock", blocked: "cross" };

/** The conclusion of a page, in words. state: win, lose, open or blocked; label says it in two words. */
export const Verdict = ({ state, label, sentence, note, aside }) => html`<section class="verdict" aria-label="Verdict">
  <div class=${aside ? "c8" : "c12"}><p class="state ${{ lose: "bad", blocked: "bad", open: "q2" }[state] ?? ""}"><${Icon} name=${MARKS[state]} />${label}</p>
    <p class="say">${sentence}</p>${note && html`<p key=${wordsOf(note)} class="note">${note}</p>`}</div>
  ${aside && html`<aside class="c4">${aside}</aside>`}</section>`;
