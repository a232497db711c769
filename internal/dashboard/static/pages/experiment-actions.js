// What can be done with an experiment. Each says what it does before it is done.

import { client } from "../core/client.js";
import { html, useState } from "../core/html.js";
import { Button, Field, Menu } from "../parts/controls.js";
import { announce } from "../parts/speech.js";

const root = (field) => field.replace(/[.[].*/, "");

/** Sends a body: send(body), busy, and of(field), what was wrong with that field; of() is what belongs to none of fields. */
export function useSending(path, done, fields = []) {
  const [{ problem, busy }, set] = useState({});
  const send = (body) => {
    set({ busy: true });
    return client.post(path, body).then((answer) => { set({}); done(answer); }, (err) => set({ problem: err }));
  };
  const of = (field) => {
    const errors = problem?.errors?.filter((err) => (field ? root(err.field) === field : !fields.includes(root(err.field)))) ?? [];
    return errors.map((err) => `${field === err.field ? "It" : err.field} ${err.message}.`).join(" ") || (!field && problem && !problem.errors?.length ? problem.message : undefined);
  };
  return { send, busy, of };
}

/** What was wrong with several fields, or with none of them. */
export const Wrong = ({ says }) => says && html`<p class="xs bad" role="alert">${says}</p>`;

function Action({ e, verb, text, says, fields = [], body = () => ({}), changed }) {
  const { send, busy, of } = useSending(`experiments/${e.id}/${verb}`, () => { announce(`${text}: done.`); changed(); }, fields.map((f) => f.name));
  const submit = (event) => {
    event.preventDefault();
    send(body(Object.fromEntries([...new FormData(event.target)].filter(([, v]) => v))));
  };
  return html`<${Menu} kind="" text=${text}><form class="act" onSubmit=${submit}><p class="note nm">${says}</p>${fields.map((f) => html`<${Field} key=${f.name} ...${f} problem=${of(f.name)} />`)}
    <${Wrong} says=${of()} /><${Button} type="submit" kind="solid" disabled=${busy}>${text}</${Button}></form></${Menu}>`;
}

const note = { name: "note", label: "Why", maxlength: 1000, hint: "Kept with who and when." };

export function Actions({ e, changed }) {
  const act = { e, changed };
  if (e.archived_at) return null;
  if (e.state !== "running") return html`<${Action} ...${act} verb="archive" text="Archive" says="Takes it out of the list. Nothing of it is deleted." />`;
  return html`<${Action} ...${act} verb="ramp" text="Ramp" says="Who has entered stays in the arm; who comes new is split by these shares, ten seconds from now. Once users have matured, shares can only come nearer to each other."
      fields=${[{ name: "shares", label: `Per cent: ${e.arms.map((a) => a.name).join(" / ")}`, required: true, defaultValue: e.phases.at(-1).shares.map((s) => +(100 * s).toPrecision(6)).join(" / ") }, note]}
      body=${(v) => ({ ...v, shares: v.shares.split(/[/,;\s]+/).map((s) => +(parseFloat(s) / 100).toPrecision(6)) })} />
    <${Action} ...${act} verb="extend" text="Extend" says="More users, or more time. Once users have matured, only what holds at all looks together decides, at a smaller level."
      fields=${[{ name: "sample_size", label: "Users in all", type: "number", placeholder: e.sample_size }, { name: "max_duration", label: "At most", placeholder: e.max_duration }, note]}
      body=${(v) => ({ ...v, sample_size: v.sample_size && Number(v.sample_size) })} />
    <${Action} ...${act} verb="stop" text="Stop" says="Nobody is assigned any more, the control serves, and there will be no verdict. This cannot be undone." />`;
}
