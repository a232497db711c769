// Starts an experiment; beside the form stands what it could find.

import { client } from "../core/client.js";
import { useData } from "../core/data.js";
import { NONE, capital, count, duration, fullStop, money, number, percent, plural } from "../core/format.js";
import { html, useEffect, useRef, useState } from "../core/html.js";
import { go, to } from "../core/router.js";
import { Button, Field } from "../parts/controls.js";
import { KeyValues } from "../parts/figures.js";
import { Icon } from "../parts/icons.js";
import { Panel } from "../parts/panel.js";
import { PageHead } from "../parts/shell.js";
import { announce } from "../parts/speech.js";
import { Still } from "../parts/states.js";
import { METRICS, inPoints } from "./experiment-words.js";

const MOST_ARMS = 8, PAUSE = 300; // milliseconds after the last key
const TEXTS = ["name", "observation", "feedback_window", "min_duration", "max_duration", "notify_url"], MARGINS = ["good", "quality", "slow"];
const SHOWN = [...TEXTS, "arms", "margins", "primary_metric", "alpha", "sample_size"]; // what is wrong with these stands beside them

const parsed = (text) => { try { return JSON.parse(text); } catch { return text; } };
const hundredth = (text) => (text ? +(Number(text) / 100).toPrecision(9) || text : undefined); // what is no number is refused by its name
const given = (pairs) => Object.fromEntries(pairs.filter(([, v]) => v !== undefined && v !== ""));

/** What the form says, as the API takes it; what is left empty has its default. */
function bodyOf(form) {
  const data = new FormData(form), get = (name) => data.get(name)?.trim(), all = (name) => data.getAll(name);
  return {
    ...given(TEXTS.map((name) => [name, get(name)])), primary_metric: get("primary_metric"), alpha: Number(get("alpha")), sample_size: Number(get("sample_size")),
    margins: given(MARGINS.map((m) => [m, hundredth(get(m))])),
    arms: all("arm").map((name, i) => {
      const [kind, ...id] = all("does")[i].split(":"), parameters = parametersOf(all("parameters")[i]);
      return { name, [kind]: id.join(":"), share: hundredth(all("share")[i]), ...(Object.keys(parameters).length && { parameters }) };
    }),
  };
}

/** Of quality_target=0.9, explore=false. */
function parametersOf(text) {
  const pairs = text.split(/[,;]/).map((pair) => pair.split("=").map((s) => s.trim()));
  return given(pairs.map(([name, value]) => [name, value && parsed(value)]));
}

/** Starts what a body says; problem is why that was refused. */
function useStart() {
  const [{ problem, busy }, set] = useState({});
  const begun = (e) => {
    announce(`${e.name} has begun.`);
    go(to(`/experiments/${e.id}`));
  };
  const start = (body) => {
    set({ busy: true });
    client.post("experiments/start", body).then(begun, (refusal) => set({ problem: refusal }));
  };
  return { start, busy, problem };
}

const Wrong = ({ says }) => says && html`<p class="xs bad" role="alert">${says}</p>`;

/** What is planned for a body, asked a moment after it has changed; the last plan stays meanwhile. */
function usePlan(body) {
  const [state, set] = useState({});
  useEffect(() => {
    const over = new AbortController(), take = (news) => over.signal.aborted || set((old) => ({ plan: old.plan, ...news }));
    const timer = body && setTimeout(() => client.post("experiments/plan", body, { signal: over.signal }).then((plan) => take({ plan }), (problem) => take({ problem })), PAUSE);
    return () => { clearTimeout(timer); over.abort(); };
  }, [JSON.stringify(body)]);
  return state;
}

export function StartPage() {
  const form = useRef(null), models = useData("v1/models"), can = doings(models.data);
  const [arms, setArms] = useState([0, 1]), [body, set] = useState(null), primary = body?.primary_metric ?? "good";
  const planned = usePlan(body), { start, busy, problem } = useStart();
  const read = () => set({ ...bodyOf(form.current), effect: hundredth(form.current.elements.effect.value) });
  useEffect(() => { if (can.length) read(); }, [arms, can.length]);
  const take = (n) => {
    form.current.elements.sample_size.value = n;
    read();
  };
  const submit = (e) => {
    e.preventDefault();
    start(bodyOf(form.current));
  };
  const field = (name, label, more) => html`<${Field} ...${{ name, label, problem: problem?.about(name), ...more }} />`;
  return html`<${PageHead} title="Start an experiment" crumb=${html`<a href=${to("/experiments")}>Experiments</a><${Icon} name="right" />new`} />
    <form ref=${form} class="grid form" onInput=${read} onSubmit=${submit}>
      <div class="c8 stack"><${Compared} ...${{ field, problem, can, arms, setArms }} /><${Rules} ...${{ field, problem, primary }} /></div>
      <div class="c4"><div class="sticky"><${Panel} title="What it can find" unit="at last week’s traffic"><${Plan} ...${{ ...planned, primary, take }} />
        ${field("effect", `If the true effect is, ${inPoints(primary) ? "points" : "per cent"}`, { placeholder: planned.plan ? number(100 * planned.plan.effect, 1) : "" })}</${Panel}>
      <${Wrong} says=${problem?.beside(SHOWN)} /><p class="row l"><${Button} type="submit" kind="solid" disabled=${busy}>Start it</${Button}></p>
      <p class="note">Rules do not change later, and the name is taken for ever.</p></div></div></form>`;
}

function Compared({ field, problem, can, arms, setArms }) {
  const more = () => setArms([...arms, Math.max(...arms) + 1]), less = (key) => setArms(arms.filter((a) => a !== key));
  return html`<${Panel} title="What is compared" unit="the first arm is the control: what there was before">${field("name", "Name", { required: true, maxlength: 200 })}
    ${arms.map((key, i) => html`<div class="pair arm" key=${key}>
      <${Field} label="Arm" name="arm" required defaultValue=${["control", "test"][key] ?? `test-${key}`} />
      <${Field} label="Does" name="does" options=${[...can.slice(key % can.length), ...can.slice(0, key % can.length)]} />
      <${Field} label="Users, per cent" name="share" inputmode="decimal" required defaultValue=${key < 2 ? 50 : 0} />
      <${Field} label="Parameters" name="parameters" placeholder="quality_target=0.9" />
      ${arms.length > 2 && i > 0 && html`<${Button} kind="icon" icon="cross" label="Remove this arm" onClick=${() => less(key)} />`}</div>`)}
    <${Wrong} says=${problem?.about("arms")} />${arms.length < MOST_ARMS && html`<${Button} icon="plus" onClick=${more}>Arm</${Button}>`}</${Panel}>`;
}

const DECIDING = ["good", "quality", "cost", "latency"].map((m) => [m, METRICS[m].name]);
const LEVELS = [[0.05, "5\u202f%"], [0.1, "10\u202f%"], [0.01, "1\u202f%"]];

function Rules({ field, problem, primary }) {
  const guards = MARGINS.filter((m) => m !== primary);
  return html`<${Panel} title="What counts"><div class="pair">${field("primary_metric", "Decides", { options: DECIDING })}${field("alpha", "Wrong winners, at most", { options: LEVELS })}
      ${field("sample_size", "Users in all", { type: "number", min: 1, required: true, defaultValue: 2000 })}</div></${Panel}>
    <${Panel} title="Guardrails" unit="to win, an arm may be worse by no more; 100 lets everything pass"><div class="pair">
      ${guards.map((m) => field(m, `${METRICS[m].name}, ${inPoints(m) ? "points" : "per cent"}`, { placeholder: 2 }))}</div><${Wrong} says=${problem?.about("margins")} /></${Panel}>
    <${Panel} title="When, and who is told"><div class="pair">${field("observation", "A user is observed for", { placeholder: "24h" })}${field("feedback_window", "Feedback waits for", { placeholder: "1h" })}
      ${field("min_duration", "Nobody wins before", { placeholder: "24h" })}${field("max_duration", "It ends after", { placeholder: "720h" })}${field("notify_url", "Webhook at the end", { type: "url" })}</div></${Panel}>`;
}

/** What an arm can do: strategies, then models. */
function doings(models) {
  const ids = (models?.data ?? []).map((m) => m.id), strategies = ids.filter((id) => id.startsWith("auto:")).map((id) => id.slice(5));
  return [...strategies.map((id) => [`strategy:${id}`, id]), ...ids.filter((id) => !/^auto\b/.test(id)).map((id) => [`model:${id}`, `model ${id}`])];
}

function Plan({ plan, problem, primary, take }) {
  if (problem) return html`<p class="note warn" role="status">${fullStop(problem.beside([]))}</p>`;
  if (!plan) return html`<${Still} height=${140} />`;
  const least = { good: (v) => `${number(100 * v, 1)} points`, quality: (v) => number(v, 3), cost: (v) => money(v), latency: (v) => duration(v) }[primary](plan.mde);
  return html`<${KeyValues} rows=${[["Finds four times in five", plan.mde > 0 ? html`<b>${least}</b> <small>${percent(number(100 * plan.mde_relative, 0))}</small>` : "not known: last week all were alike"],
    ["Power to win", html`<b class=${plan.power_to_win < 0.5 ? "warn" : ""}>${percent(number(100 * plan.power_to_win, 0))}</b> <small>guardrails included</small>`],
    ["Users needed", plan.suggested_sample_size ? html`${count(plan.suggested_sample_size)} <${Button} onClick=${() => take(plan.suggested_sample_size)}>Take</${Button}>` : "no number is enough"],
    ["Takes at most", plan.expected_days === null ? NONE : plural(Math.ceil(plan.expected_days), "day")]]} />${plan.warnings?.map((w) => html`<p class="note warn" key=${w}>${capital(fullStop(w))}</p>`)}`;
}
