// What can be done with an experiment. Each says what it does before it is done.

import { client } from "../core/client.js";
import { html, useState } from "../core/html.js";
import { Button, Field, Menu } from "../parts/controls.js";
import { announce } from "../parts/speech.js";

/** Sends a body, and tells what came of it: send(body), busy, and of(field), what is wrong with it; of() is what belongs to none of fields. */
export function useSending(path, done, fields = []) {
  const [{ problem, busy }, set] = useState({}), known = (f) => fields.includes(f.replace(/[.[].*/, ""));
  const send = async (body) => {
    set({ busy: true });
    try {
      const answer = await client.post(path, body);
      set({});
      done(answer);
    } catch (err) {
      set({ problem: err });
    }
  };
  const of = (field) => {
    const errors = problem?.errors?.filter((err) => (field ? err.field.replace(/[.[].*/, "") === field : !known(err.field))) ?? [];
    if (errors.length) return errors.map((err) => `${field === err.field ? "It" : err.field} ${err.message}.`).join(" ");
    return !field && problem && !problem.errors?.length ? problem.message : undefined;
  };
  return { send, busy, of };
}

function Action({ e, verb, text, says, fields = [], body = () => ({}), changed }) {
  const { send, busy, of } = useSending(`experiments/${e.id}/${verb}`, () => { announce(`${text}: done.`); changed(); }, fields.map((f) => f.name));
  const submit = (event) => {
    event.preventDefault();
    send(body(Object.fromEntries(new FormData(event.target))));
  };
  return html`<${Menu} kind="" text=${text}><form class="act" onSubmit=${submit}><p class="note nm">${says}</p>
    ${fields.map((f) => html`<${Field} key=${f.name} ...${f} problem=${of(f.name)} />`)}${of() && html`<p class="xs bad" role="alert">${of()}</p>`}
    <${Button} type="submit" kind="solid" disabled=${busy}>${text}</${Button}></form></${Menu}>`;
}

const note = { name: "note", label: "Why", maxlength: 1000, hint: "Kept with who and when." };
const given = (all) => Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined && v !== ""));

export function Actions({ e, changed }) {
  const act = { e, changed };
  if (e.archived_at) return null;
  if (e.state !== "running") return html`<${Action} ...${act} verb="archive" text="Archive" says="Takes it out of the list. Nothing of it is deleted." />`;
  const shares = e.phases.at(-1).shares.map((s) => +(100 * s).toPrecision(6)).join(" / ");
  return html`<${Action} ...${act} verb="ramp" text="Ramp" says="Who has entered stays in the arm; who comes new is split by these shares, ten seconds from now. Once users have matured, shares can only come nearer to each other."
      fields=${[{ name: "shares", label: `Per cent: ${e.arms.map((a) => a.name).join(" / ")}`, required: true, defaultValue: shares }, note]}
      body=${(v) => given({ shares: v.shares.split(/[/,;\s]+/).filter(Boolean).map((s) => +(Number(s.replace("%", "")) / 100).toPrecision(6)), note: v.note })} />
    <${Action} ...${act} verb="extend" text="Extend" says="More users, or more time. Once users have matured, only what holds at all looks together decides, at a smaller level."
      fields=${[{ name: "sample_size", label: "Users in all", type: "number", placeholder: e.sample_size }, { name: "max_duration", label: "At most, such as 1440h", placeholder: e.max_duration }, note]}
      body=${(v) => given({ ...v, sample_size: v.sample_size ? Number(v.sample_size) : undefined })} />
    <${Action} ...${act} verb="stop" text="Stop" says="Nobody is assigned any more, the control serves, and there will be no verdict. This cannot be undone." />`;
}
