// Keys: who may do what, what they have spent, and who did what.

import { line, rect } from "../charts/draw.js";
import { client } from "../core/client.js";
import { useData } from "../core/data.js";
import { age, clock, count, date, money, percent, shortDate, share } from "../core/format.js";
import { html, useState } from "../core/html.js";
import { change, here } from "../core/router.js";
import { Confirm } from "../parts/confirm.js";
import { Button, Field, Segmented, chosen } from "../parts/controls.js";
import { EventLine } from "../parts/figures.js";
import { Panel } from "../parts/panel.js";
import { PageHead } from "../parts/shell.js";
import { AsOf, Command } from "../parts/states.js";
import { Table } from "../parts/table.js";

const SHOWN = [["current", "Current"], ["all", "All"]];
const ROLES = [["complete", "complete: ask for answers"], ["read", "read: look at figures"], ["operate", "operate: both, and experiments"], ["admin", "admin: everything"]];
const OVERLAPS = [["24h", "a day"], ["1h", "an hour"], ["168h", "a week"], ["0s", "not at all"]];

export function KeysPage() {
  const cursor = here().query.get("cursor"), shown = chosen("keys", SHOWN), keys = useData(`keys?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, { every: 10_000 });
  const all = keys.data?.keys ?? [], list = all.filter((k) => shown === "all" || stateOf(k)[0] === ""), next = keys.data?.next_cursor;
  const acts = html`<${Segmented} name="keys" label="Which" options=${SHOWN} value=${shown} />`;
  return html`<${PageHead} title="Keys" sub=${html`<${AsOf} of=${keys} />`}>${keys.data && html`<${Create} done=${keys.retry} />`}</${PageHead}><div class="grid">
    <div class="c12"><${Panel} title="Keys" unit="the newest first" of=${keys} acts=${acts} note=${!client.hasKey && "This busu asks nobody for a key: without BUSU_ADMIN_KEY everybody on this machine is the admin."}>
      ${() => html`<${Table} head=${["Key", "Role", "Project", "May use", ">Last used", ">Ends", "Budget", ">"]} rows=${list.map((k) => keyRow(k, keys.retry))} caption="Keys" nothing=${all.length ? "All are revoked or have ended." : "There is none yet."} />
        ${(cursor || next) && html`<p class="row l">${cursor && html`<${Button} href=${change({ cursor: null })}>Newest</${Button}>`}${next && html`<${Button} href=${change({ cursor: next })}>Older</${Button}>`}</p>`}`}</${Panel}></div>
    <div class="c12"><${Audit} keys=${all} /></div></div>`;
}

/** Why a key does not work, "" while it does, and since when. */
function stateOf(k) {
  if (k.revoked_at) return ["revoked", k.revoked_at];
  return k.expires_at && Date.parse(k.expires_at) < Date.now() ? ["ended", k.expires_at] : ["", k.expires_at];
}

function keyRow(k, done) {
  const [state, end] = stateOf(k), limits = [...k.models, ...k.strategies, ...k.experiments];
  const cells = [html`${k.name}<br /><small class="mono">${k.prefix}…</small>${k.overlapping.map((o) => html`<br /><small>and <span class="mono">${o.prefix}…</span> until ${clock(Date.parse(o.until))}</small>`)}`, k.role, k.project === "*" ? "all" : k.project,
    limits.length ? limits.join(", ") : html`<span class="t">everything</span>`, k.last_used_at ? html`<span title=${clock(Date.parse(k.last_used_at))}>${age(Date.now() - Date.parse(k.last_used_at))} ago</span>` : html`<span class="t">never</span>`,
    state ? html`<span class="bad">${state}</span> ${date(Date.parse(end))}` : end ? date(Date.parse(end)) : html`<span class="t">never</span>`, k.budget_usd === null ? html`<span class="t">none</span>` : html`<${Budget} k=${k} />`,
    !k.revoked_at && html`<span class="nb"><${Confirm} text="Rotate" ...${{ done }} says=${`${k.name} gets a new secret. What it has now works on for the overlap.`} act=${(v) => client.post(`keys/${k.id}/rotate`, v).then(secret)}>${() => html`<${Field} label="The old one works on for" name="overlap" options=${OVERLAPS} />`}</${Confirm}>
      <${Confirm} text="Revoke" ...${{ done }} says=${`${k.name} (${k.prefix}…) ends for good: whoever uses it is refused within a second.`} act=${async () => void await client.delete(`keys/${k.id}`)} /></span>`];
  return { key: k.id, cells };
}

/** What is shown once, and never again. */
const secret = (made) => html`<h2>${made.name}</h2><p class="note">This is the key. It is shown this once: only a hash of it is kept.</p><${Command} text=${made.key} />`;

function Create({ done }) {
  const split = (s) => s.split(/[\s,]+/).filter(Boolean);
  const make = ({ name, role, project, models, expires_at: until, budget_usd: budget, budget_period: period }) => client.post("keys", { name, role, project,
    ...(models && { models: split(models) }), ...(until && { expires_at: `${until}T00:00:00Z` }), ...(budget && { budget_usd: Number(budget), budget_period: period }) }).then(secret);
  return html`<${Confirm} kind="solid" icon="plus" text="Create a key" says="Give it the least that it needs. Role and project stay what they are." done=${done} act=${make}>${(wrong) => {
    const field = (name, label, more) => html`<${Field} ...${{ name, label, problem: wrong(name), ...more }} />`;
    return html`<div class="two">${field("name", "Name", { required: true, maxlength: 100, placeholder: "search" })}${field("role", "Role", { options: ROLES })}${field("project", "Project", { required: true, value: "default" })}${field("models", "Only these models", { placeholder: "any" })}
      ${field("expires_at", "Ends on, 0:00 UTC", { type: "date" })}<span />${field("budget_usd", "Budget, dollars", { type: "number", min: 0, step: "any", placeholder: "none" })}${field("budget_period", "in each", { options: [["month", "month, UTC"], ["day", "day, UTC"]] })}</div>`;
  }}</${Confirm}>`;
}

/** What is spent of a budget, and when it runs out if it goes on like this. */
function Budget({ k }) {
  const b = useData(`keys/${k.id}`, { every: 10_000 }).data?.budget, limit = html`${money(k.budget_usd)} <small>a ${k.budget_period ?? "month"}${b && ","}</small>`;
  if (!b) return limit;
  const end = Date.parse(b.resets_at), at = Date.parse(b.as_of), day = new Date(end), from = k.budget_period === "day" ? end - 86_400_000 : Date.UTC(day.getUTCFullYear(), day.getUTCMonth() - 1, day.getUTCDate());
  const out = b.spent_usd > 0 ? at + (b.remaining_usd * (at - from)) / b.spent_usd : Infinity, x = (v) => 160 * Math.min(1, v / b.limit_usd), over = b.remaining_usd <= 0;
  const words = over ? html`<span class="bad">spent until ${clock(end)}</span>` : b.spent_usd === 0 ? "nothing spent" : out < end ? html`<span class="warn">runs out ${k.budget_period === "day" ? clock(out) : shortDate(out)} at this pace</span>` : "lasts at this pace";
  const passed = `${share(b.spent_usd, b.limit_usd)} per cent spent, ${share(at - from, end - from)} per cent of the ${k.budget_period ?? "month"} gone`;
  return html`<svg class="burn" width="160" height="12" role="img" aria-label=${passed}><title>${passed}</title>${[rect(0, 2, 160, 8, "fs"), rect(0, 2, x(b.spent_usd), 8, over ? "fh" : "fi"), rect(x(b.spent_usd), 2, x(b.spent_usd + b.reserved_usd) - x(b.spent_usd), 8, "hatch"), line((160 * (at - from)) / (end - from), 0, (160 * (at - from)) / (end - from), 12, "si2 w15")]}</svg>
    <span class="nb">${money(b.spent_usd)} of ${limit} <small>${percent(share(b.spent_usd, b.limit_usd))}, ${words}</small></span>`;
}

const OF_COURSE = ["id", "name", "project", "created_at"];
const detail = (d) => Object.entries(d ?? {}).filter(([n, v]) => v !== null && typeof v !== "object" && !OF_COURSE.includes(n)).map(([n, v]) => ` · ${n.replaceAll("_", " ")} ${v}`);

function Audit({ keys }) {
  const [limit, more] = useState(20), log = useData(`audit?limit=${limit}`, { every: 10_000 }), who = (by) => keys.find((k) => k.id === by)?.name ?? ({ admin: "the admin key", command: "a command", "": "somebody without a key" }[by] ?? `key ${by.slice(-6)}`);
  const events = () => log.data.acts.map((a, i) => ({ key: `${a.at}${i}`, at: Date.parse(a.at), text: html`<b>${a.action}</b> ${keys.find((k) => k.id === a.subject)?.name ?? html`<span class="mono">${a.subject}</span>`} <span class="t">by ${who(a.by)}, project ${a.project}${detail(a.detail)}</span>` }));
  return html`<${Panel} title="Who did what" unit="the newest first" of=${log}>${() => html`<${EventLine} events=${events()} nothing="Nothing has been done yet that takes the role operate or admin." />
    ${log.data.next_cursor && limit < 500 && html`<p class="row l"><${Button} onClick=${() => more(Math.min(500, 5 * limit))}>More than ${count(limit)}</${Button}></p>`}`}</${Panel}>`;
}
