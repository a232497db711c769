// What can be done with an experiment. Each says what it does before it is done.

import { useMay } from "../core/caller.js";
import { client } from "../core/client.js";
import { html } from "../core/html.js";
import { Confirm } from "../parts/confirm.js";
import { Field } from "../parts/controls.js";
import { brief } from "./experiment-words.js";

const perCent = (share) => +(100 * share).toPrecision(6);
const asShare = (text) => +(parseFloat(text) / 100).toPrecision(6);

/** body makes what is sent of the fields that were filled in. */
function Action({ e, verb, text, says, fields = [], body = (filled) => filled, changed }) {
  const act = async (values) => {
    const filled = Object.fromEntries(Object.entries(values).filter(([, v]) => v));
    await client.post(`experiments/${e.id}/${verb}`, body(filled));
  };
  return html`<${Confirm} kind="" ...${{ text, says, act }} done=${changed}>${(wrong) =>
    fields.map((f) => html`<${Field} key=${f.name} ...${f} problem=${wrong(f.name)} />`)}</${Confirm}>`;
}

const note = { name: "note", label: "Why", maxlength: 1000, hint: "Kept with who and when." };

function Ramp({ e, ...rest }) {
  const shares = { name: "shares", label: `Per cent: ${e.arms.map((a) => a.name).join(" / ")}`, required: true, defaultValue: e.phases.at(-1).shares.map(perCent).join(" / ") };
  return html`<${Action} ...${{ e, ...rest }} verb="ramp" text="Ramp" fields=${[shares, note]} body=${(v) => ({ ...v, shares: v.shares.split(/[/,;\s]+/).map(asShare) })}
    says="Who has entered stays in the arm; who comes new is split by these shares, ten seconds from now. Once users have matured, shares can only come nearer to each other." />`;
}

function Extend({ e, ...rest }) {
  const fields = [{ name: "sample_size", label: "Users in all", type: "number", placeholder: e.sample_size }, { name: "max_duration", label: "At most", placeholder: brief(e.max_duration) }, note];
  return html`<${Action} ...${{ e, ...rest }} verb="extend" text="Extend" fields=${fields} body=${(v) => ({ ...v, sample_size: v.sample_size && Number(v.sample_size) })}
    says="More users, or more time. Once users have matured, only what holds at all looks together decides, at a smaller level." />`;
}

export function Actions({ e, changed }) {
  const act = { e, changed }, may = useMay("operate");
  if (!may || e.archived_at) return null;
  if (e.state !== "running") return html`<${Action} ...${act} verb="archive" text="Archive" says="Takes it out of the list. Nothing of it is deleted." />`;
  return html`<${Ramp} ...${act} /><${Extend} ...${act} />
    <${Action} ...${act} verb="stop" text="Stop" says="Nobody is assigned any more, the control serves, and there will be no verdict. This cannot be undone." />`;
}
