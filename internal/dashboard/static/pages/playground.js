// Playground: a prompt, the plan that would be made of it, the answer, what it
// cost, and what one thinks of it.

import { Candidates } from "../charts/request.js";
import { client } from "../core/client.js";
import { useData } from "../core/data.js";
import { duration, exact, inPercent, money, number } from "../core/format.js";
import { html, useEffect, useRef, useState } from "../core/html.js";
import { useLiveQuietly } from "../core/live.js";
import { to } from "../core/router.js";
import { eventsOf } from "../core/stream.js";
import { Button, Copy, Field, Tag } from "../parts/controls.js";
import { KeyValues } from "../parts/figures.js";
import { Panel } from "../parts/panel.js";
import { PageHead } from "../parts/shell.js";
import { announce } from "../parts/speech.js";
import { Failure } from "../parts/states.js";
import { CostTable, priced } from "./request.js";

const REST = 400; // after the last key, before the plan is asked for
const HEADERS = ["X-Request-Id", "X-Busu-Model", "X-Busu-Strategy", "X-Busu-Cache", "X-Busu-Cost-Usd"];
const ORDER = ["first", "second", "third"];
const STRATEGIES = [["", "as configured"], ...["hybrid", "learning", "complexity"].map((s) => [s, s])];

/** The body of /complete that the form means, or null without a prompt. */
function bodyOf(form) {
  const values = Object.fromEntries([...new FormData(form)].map(([n, v]) => [n, v.trim()]).filter(([, v]) => v));
  for (const n of ["max_tokens", "max_cost_usd", "min_quality"]) if (values[n]) values[n] = Number(values[n]);
  if (values.models) values.models = values.models.split(/[\s,]+/);
  delete values.stream;
  return values.prompt ? values : null;
}

export function PlaygroundPage() {
  const [body, set] = useState(null), [run, setRun] = useState(null), form = useRef(null), timer = useRef(0), over = useRef(null);
  const lineup = useData("v1/models"), plan = useData(body && JSON.stringify(body), { ask: (b, signal) => client.post("recommendation", JSON.parse(b), { signal }) });
  useEffect(() => () => { clearTimeout(timer.current); over.current?.abort(); }, []);
  const typed = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => set(bodyOf(form.current)), REST);
  };
  const send = (e) => {
    e.preventDefault();
    const wanted = bodyOf(form.current);
    if (!wanted) return;
    set(wanted);
    over.current?.abort();
    over.current = new AbortController();
    answer({ ...wanted, stream: form.current.elements.stream.checked }, over.current.signal, setRun);
  };
  const models = [["", "auto"], ...(lineup.data?.data ?? []).map((m) => [m.id, m.id]).filter(([id]) => !id.startsWith("auto"))];
  const curl = () => `curl -s '${client.url("complete")}' -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`;
  return html`<${PageHead} title="Playground" sub=${html`<span class="sub">what is sent is recorded like every request, and costs what it costs</span>`} /><div class="grid">
    <form class="c5 play" ref=${form} onInput=${typed} onSubmit=${send}><${Wishes} ...${{ models, problem: plan.problem }} />
      <p class="row l"><${Button} type="submit" kind="solid" disabled=${run?.busy}>Send</${Button}>${run?.busy && html`<${Button} onClick=${() => over.current.abort()}>Stop</${Button}>`}
        <label class="nb"><input type="checkbox" name="stream" defaultChecked=${true} />stream</label>
        ${body && html`<${Copy} kind="quiet" what="as curl" text=${curl}>as curl</${Copy}>`}</p></form>
    <div class="c7 stack"><${Panel} title="The plan" unit=${body ? "predicted chance of a good answer, cheapest first" : "before anything is sent"} of=${body ? plan : undefined} height=${220} name="plan" table=${body && plan.data && (() => planTable(plan.data))}>
        ${() => (body ? html`<${Plan} plan=${plan.data} enough=${body.min_quality} />` : html`<p class="note nm">Write a prompt to see which model would answer it, and why.</p>`)}</${Panel}>
      ${run && html`<${Answer} key=${run.turn} run=${run} />`}</div></div>`;
}

/** What is asked, and on what terms. */
function Wishes({ models, problem }) {
  const field = (name, label, more) => html`<${Field} ...${{ name, label, problem: problem?.about(name), ...more }} />`;
  return html`${field("prompt", "Prompt", { type: "area", required: true, rows: 7, placeholder: "What is the capital of France?" })}
    <div class="two">${field("strategy", "Strategy", { options: STRATEGIES })}${field("model", "Model", { options: models })}
      ${field("user_id", "User", { placeholder: "none" })}${field("max_tokens", "At most, tokens", { type: "number", min: 1 })}
      ${field("max_cost_usd", "At most, dollars", { type: "number", min: 0, step: "any" })}${field("min_quality", "At least, quality 0 to 1", { type: "number", min: 0, max: 1, step: "any" })}
      ${field("models", "Only these models", { placeholder: "small, medium" })}${field("cache", "Cache", { options: [["", "default"], ["bypass", "bypass"]] })}</div>`;
}

/** Asks for the answer, and tells with set how far it has come. */
async function answer(body, signal, set) {
  let run = { turn: Date.now(), text: "", headers: [], busy: true };
  const tell = (news) => set((run = { ...run, ...news }));
  tell({});
  try {
    const response = await client.open("complete", { body, signal });
    tell({ headers: HEADERS.map((h) => [h, response.headers.get(h)]).filter(([, v]) => v !== null) });
    if (!body.stream) {
      const done = await response.json();
      tell({ done, text: done.response });
    } else {
      for await (const { name, data } of eventsOf(response)) {
        const event = JSON.parse(data);
        if (name === "delta") tell({ text: run.text + event.text });
        if (name === "completion") tell({ done: event, text: event.response });
        if (name === "error") tell({ problem: { status: event.status, message: event.detail, requestID: event.request_id } });
      }
    }
    announce(run.done ? "The answer has come." : "The answer broke off.");
    tell({ busy: false, cut: !run.done });
  } catch (problem) {
    tell(signal.aborted ? { busy: false, cut: true } : { busy: false, problem });
  }
}

function Plan({ plan, enough }) {
  const { ramp } = useLiveQuietly(), chance = plan.candidates.some((c) => c.probability > 0);
  const rows = plan.candidates.map((c, i) => ({ ...c, step: ramp.step(c.model), chosen: i === 0, note: `asked ${ORDER[i] ?? `as ${i + 1}.`}` })).sort((a, b) => a.cost_usd - b.cost_usd);
  return html`<p class="say">${plan.reason}</p>
    <p class="note">${plan.strategy}, confidence ${plan.confidence}, complexity ${number(plan.complexity, 2)} (${plan.tier}). ${
      chance && `Chance puts first: ${plan.candidates.map((c) => `${c.model} ${inPercent(c.probability)}`).join(", ")}.`}</p>
    <${Candidates} rows=${rows} enough=${enough} />`;
}

const planTable = (plan) => ({ head: ["Asked", "Provider", ">Predicted quality", ">Expected cost", ">Probability of being first"],
  rows: plan.candidates.map((c) => [c.model, c.provider, { show: inPercent(c.quality), value: c.quality }, { show: money(c.cost_usd), value: c.cost_usd }, { show: inPercent(c.probability), value: c.probability }]) });

function Answer({ run }) {
  const { done, text, headers, problem, busy, cut } = run, id = done?.request_id ?? headers[0]?.[1];
  const [found, find] = useState(false), record = useData(!busy && id ? `requests/${id}` : null, { every: found ? 0 : 1000 }).data;
  useEffect(() => { if (record) find(true); }, [record]);
  const unit = done ? `${done.model} after ${duration(done.latency_ms)}` : busy ? "under way" : "";
  return html`<${Panel} title="The answer" unit=${unit} acts=${text !== "" && html`<${Copy} text=${text} what="the answer" />`}>${() => html`
    ${text !== "" && html`<div class="answer">${text}</div>`}${cut && html`<p class="note"><${Tag} mood="warn">broke off</${Tag}> What came is not the whole answer.</p>`}${problem && html`<${Failure} problem=${problem} />`}
    ${done && html`<p class="note">${done.reason}${done.fallbacks.length > 0 && ` Before, ${done.fallbacks.join(", ")} failed.`}</p><${Opinion} id=${id} />`}`}</${Panel}>
    ${headers.length > 0 && html`<${Panel} title="What it cost" unit=${record && priced(record)}>${() => html`<${Paid} ...${{ done, record }} />
      <${KeyValues} rows=${headers.map(([n, v]) => [html`<span class="mono">${n}</span>`, html`<span class="mono">${v}</span>`])} />`}</${Panel}>`}`;
}

/** What an answer cost: as it says itself, then as it is on record. */
function Paid({ done, record }) {
  if (record) return html`<${CostTable} r=${record} /><p class="note">Modelled saving ${exact(record.cost.baseline_cost_nanos - record.cost.cost_nanos)}. <a href=${to(`/requests/${record.request_id}`)}>All of this request</a></p>`;
  if (!done) return null;
  return html`<${KeyValues} rows=${[["Cost", money(done.cost_usd)], ["Baseline, the same tokens", money(done.baseline_cost_usd)], ["Modelled saving", money(done.savings_usd)]]} />
    <p class="note">How it adds up is shown once the request is stored.</p>`;
}

function Opinion({ id }) {
  const [{ said, problem, busy }, set] = useState({});
  const say = async (text, verdict) => {
    set({ busy: true });
    try {
      await client.post("feedback", { request_id: id, source: "playground", ...verdict });
      set({ said: text });
      announce(`Recorded: ${text}.`);
    } catch (problem) {
      set({ problem });
    }
  };
  if (said) return html`<p class="note"><span class="good">Recorded: ${said}.</span> Strategies that learn take it up within seconds.</p>`;
  const button = (text, verdict, label) => html`<${Button} ...${{ disabled: busy, label }} onClick=${() => say(label ?? text, verdict)}>${text}</${Button}>`;
  return html`<p class="row l"><span class="q">Was it good?</span>${button("Yes", { correct: true }, "a good answer")}${button("No", { correct: false }, "a bad answer")}
      <span class="q">or rate it</span>${[1, 2, 3, 4, 5].map((n) => button(n, { rating: n }, `rated ${n} of 5`))}</p>
    ${problem && html`<p class="bad" role="alert">${problem.message}</p>`}`;
}
