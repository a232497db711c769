// Keys: who may do what, what they have spent, and who did what.

import { line, rect } from "../charts/draw.js";
import { caller } from "../core/caller.js";
import { client } from "../core/client.js";
import { useData } from "../core/data.js";
import { age, clock, count, date, money, percent, shortDate, share } from "../core/format.js";
import { html, useState } from "../core/html.js";
import { change, here } from "../core/router.js";
import { Confirm } from "../parts/confirm.js";
import { Button, Field, Segmented, Tag, chosen } from "../parts/controls.js";
import { EventLine } from "../parts/figures.js";
import { Panel } from "../parts/panel.js";
import { PageHead } from "../parts/shell.js";
import { AsOf, Command } from "../parts/states.js";
import { Table } from "../parts/table.js";

const SHOWN = [["current", "Current"], ["all", "All"]];
const ROLES = [["complete", "complete: ask for answers"], ["read", "read: look at figures"], ["operate", "operate: both, and experiments"], ["admin", "admin: everything"]];
const OVERLAPS = [["24h", "a day"], ["1h", "an hour"], ["168h", "a week"], ["0s", "not at all"]];

export function KeysPage() {
  const cursor = here().query.get("cursor"), shown = chosen("keys", SHOWN);
  const keys = useData(`keys?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, { every: 10_000 });
  const all = keys.data?.keys ?? [], list = all.filter((k) => shown === "all" || stateOf(k)[0] === ""), next = keys.data?.next_cursor;
  const acts = html`<${Segmented} name="keys" label="Which" options=${SHOWN} value=${shown} />`;
  const open = caller.who?.open && "This busu asks nobody for a key: without BUSU_ADMIN_KEY everybody on this machine is the admin.";
  return html`<${PageHead} title="Keys" sub=${html`<${AsOf} of=${keys} />`}>${keys.data && html`<${Create} done=${keys.retry} />`}</${PageHead}><div class="grid">
    <div class="c12"><${Panel} title="Keys" unit="the newest first" of=${keys} acts=${acts} note=${open}>
      ${() => html`<${Table} head=${["Key", "Role", "Project", "May use", ">Last used", ">Ends", "Limits", "Budget", ">"]} widths=${[130, 76, 80, 100, 90, 90, 110, 290, 190]} rows=${list.map((k) => keyRow(k, keys.retry))} caption="Keys"
          nothing=${all.length ? "All are revoked or have ended." : "There is none yet: create one above, or by busu keys create."} />
        ${(cursor || next) && html`<p class="row l">${cursor && html`<${Button} href=${change({ cursor: null })}>Newest</${Button}>`}${next && html`<${Button} href=${change({ cursor: next })}>Older</${Button}>`}</p>`}`}</${Panel}></div>
    <div class="c12"><${Projects} /></div><div class="c12"><${Audit} keys=${all} /></div></div>`;
}

/** Why a key does not work, "" while it does, and since when. */
function stateOf(k) {
  if (k.revoked_at) return ["revoked", k.revoked_at];
  return k.expires_at && Date.parse(k.expires_at) < Date.now() ? ["ended", k.expires_at] : ["", k.expires_at];
}

const pale = (text) => html`<span class="t">${text}</span>`;

function keyRow(k, done) {
  const limits = [...k.models, ...k.strategies, ...k.experiments];
  return { key: k.id, cells: [named(k), k.role, k.project === "*" ? "all" : k.project, limits.length ? limits.join(", ") : pale("everything"),
    lastUsed(k), ends(k), rates(k), k.budget_usd === null ? pale("none") : html`<${Budget} of=${k} />`, !k.revoked_at && html`<${Acts} ...${{ k, done }} />`] };
}

function named({ name, prefix, overlapping }) {
  const before = overlapping.map((o) => html`<br /><small>and <span class="mono">${o.prefix}…</span> until ${clock(Date.parse(o.until))}</small>`);
  return html`${name}<br /><small class="mono">${prefix}…</small>${before}`;
}

function lastUsed({ last_used_at: at }) {
  if (!at) return pale("never");
  return html`<span title=${clock(Date.parse(at))}>${age(Date.now() - Date.parse(at))} ago</span>`;
}

function ends(k) {
  const [state, at] = stateOf(k);
  if (!at) return pale("never");
  return html`${state && html`<span class="bad">${state}</span> `}${date(Date.parse(at))}`;
}

const RATES = [["requests_per_minute", "Requests a minute", "a minute"], ["tokens_per_minute", "Tokens a minute", "tokens a minute"], ["concurrency", "Requests at once", "at once"]];

const ratesText = (of) => RATES.filter(([name]) => of?.[name]).map(([name, , text]) => `${count(of[name])} ${text}`).join(", ");

function rates(k) {
  const own = ratesText(k), user = ratesText(k.per_user);
  if (!own && !user) return pale("none");
  return html`${own}${own && user && html`<br />`}${user && html`<small>each user ${user}</small>`}`;
}

function Acts({ k, done }) {
  const rotate = (v) => client.post(`keys/${k.id}/rotate`, v).then(secret), revoke = async () => void await client.delete(`keys/${k.id}`);
  const change = async (v) => void await client.patch(`keys/${k.id}`, changeOf(v, k));
  return html`<span class="nb"><${Confirm} text="Change" ...${{ done }} act=${change} says="What ${k.name} may spend, and when it ends. It holds within a second; role and project stay what they are.">
      ${(wrong) => html`<div class="two">${limits(wrong, k)}</div>`}</${Confirm}>
    <${Confirm} text="Rotate" ...${{ done }} act=${rotate} says="${k.name} gets a new secret. What it has now works on for the overlap.">
      ${() => html`<${Field} label="The old one works on for" name="overlap" options=${OVERLAPS} />`}</${Confirm}>
    <${Confirm} text="Revoke" ...${{ done }} act=${revoke} says="${k.name} (${k.prefix}…) ends for good: whoever uses it is refused within a second." /></span>`;
}

/** What is shown once, and never again. */
const secret = (made) => html`<h2>${made.name}</h2><p class="note">This is the key. It is shown this once: only a hash of it is kept.</p><${Command} text=${made.key} />`;

const PERIODS = [["month", "month, UTC"], ["day", "day, UTC"]];

function Create({ done }) {
  const make = (v) => client.post("keys", keyOf(v)).then(secret);
  return html`<${Confirm} kind="solid" icon="plus" text="Create a key" says="Give it the least that it needs. Role and project stay what they are." done=${done} act=${make}>${(wrong) => {
    const field = (name, label, more) => html`<${Field} ...${{ name, label, problem: wrong(name), ...more }} />`;
    return html`<div class="two">${field("name", "Name", { required: true, maxlength: 100, placeholder: "search" })}${field("role", "Role", { options: ROLES })}
      ${field("project", "Project", { required: true, value: "default" })}${field("models", "Only these models", { placeholder: "any" })}
      ${limits(wrong)}</div>`;
  }}</${Confirm}>`;
}

/** The fields of what a key may spend and when it ends, as they are of k. */
function limits(wrong, k) {
  const field = (name, label, more) => html`<${Field} ...${{ name, label, problem: wrong(name), ...more }} />`, period = k?.budget_period ?? "month";
  const rate = (name, label, of) => field(name, label, { type: "number", min: 1, step: 1, placeholder: "no limit", defaultValue: of ?? "" });
  return html`${field("budget_usd", "Budget, dollars", { type: "number", min: 0, step: "any", placeholder: "none", defaultValue: k?.budget_usd ?? "" })}
    ${field("budget_period", "in each", { options: PERIODS.toSorted(([a], [b]) => (b === period) - (a === period)) })}
    ${field("expires_at", "Ends on, 0:00 UTC", { type: "date", defaultValue: k?.expires_at?.slice(0, 10) ?? "" })}
    ${RATES.map(([name, label]) => rate(name, label, k?.[name]))}
    ${RATES.map(([name, label]) => rate(USER + name, `${label}, each user`, k?.per_user?.[name]))}`;
}

const USER = "per_user.";
const given = (v) => (v ? Number(v) : null);

/** What the form says, as the API takes it. */
const keyOf = ({ name, role, project, models, ...rest }) => ({ name, role, project,
  ...(models && { models: models.split(/[\s,]+/).filter(Boolean) }), ...Object.fromEntries(Object.entries(changeOf(rest)).filter(([, v]) => v !== null)) });

/** What is left empty is taken away; the end of k stays to the second where its day does. */
const changeOf = ({ budget_usd: budget, budget_period: period, expires_at: until, ...v }, k) => ({ ...Object.fromEntries(RATES.map(([name]) => [name, given(v[name])])),
  per_user: RATES.some(([name]) => v[USER + name]) ? Object.fromEntries(RATES.map(([name]) => [name, given(v[USER + name])])) : null,
  ...(until !== (k?.expires_at?.slice(0, 10) ?? "") && { expires_at: until ? `${until}T00:00:00Z` : null }), ...(budget ? { budget_usd: Number(budget), budget_period: period } : { budget_usd: null }) });

/** What is spent of a budget, what of it was told, and when it runs out if it goes on like this: each in a line of its own, so that none wraps as it grows. */
function Budget({ of: { budget: b, budget_usd: usd, budget_period } }) {
  const period = budget_period ?? "month", limit = html`${money(usd)} <small>a ${period}</small>`;
  if (!b) return html`<span class="nb">${limit}</span><br /><small>what is spent is not known now</small>`;
  const end = Date.parse(b.resets_at), from = beginOf(period, end), gone = (Date.parse(b.as_of) - from) / (end - from), told = b.alerts?.at(-1);
  return html`<${Burn} ...${{ b, gone, period }} /><br /><span key=${`${b.spent_usd} ${usd}`} class="nb">${money(b.spent_usd)} of ${limit}</span><br />
    <small key=${`${b.spent_usd} ${usd} ${b.as_of}`} class="nb">${percent(share(b.spent_usd, b.limit_usd))}, ${outlook(b, { period, from, end })}</small>
    ${told && html` <${Tag} mood=${told.threshold_percent >= 100 ? "bad" : "warn"}>${percent(count(told.threshold_percent))} told ${clock(Date.parse(told.at))}</${Tag}>`}`;
}

/** The budgets of projects, which are configured. */
function Projects() {
  const of = useData("budgets", { every: 10_000 });
  const rows = () => of.data.budgets.map((b) => ({ key: b.project + b.budget_period, cells: [b.project, html`<${Budget} of=${b} />`] }));
  return html`<${Panel} title="Budgets of projects" unit="set in busu.yaml; the requests of all keys count" of=${of} height=${90}>
    ${() => (of.data.budgets.length ? html`<${Table} head=${["Project", "Budget"]} widths=${[200, 600]} rows=${rows()} caption="Budgets of projects" />`
      : html`<p class="note nm">No project has one. This sets one, in busu.yaml:</p><${Command} text="limits: {projects: [{project: default, budget_usd: 500}]}" />`)}</${Panel}>`;
}

/** When a day or a month in UTC began that ends then. */
function beginOf(period, end) {
  if (period === "day") return end - 86_400_000;
  const next = new Date(end);
  return Date.UTC(next.getUTCFullYear(), next.getUTCMonth() - 1, next.getUTCDate());
}

function outlook(b, { period, from, end }) {
  if (b.remaining_usd <= 0) return html`<span class="bad">spent until ${clock(end)}</span>`;
  if (b.spent_usd === 0) return "nothing spent";
  const asOf = Date.parse(b.as_of), out = asOf + (b.remaining_usd * (asOf - from)) / b.spent_usd;
  return out < end ? html`<span class="warn">runs out ${period === "day" ? clock(out) : shortDate(out)} at this pace</span>` : "lasts at this pace";
}

/** Spent, and hatched what is reserved; the tick is how much of the period is gone. */
function Burn({ b, gone, period }) {
  const width = 160, x = (usd) => width * Math.min(1, usd / b.limit_usd), spent = x(b.spent_usd), at = width * gone;
  const label = `${share(b.spent_usd, b.limit_usd)} per cent spent, ${share(gone, 1)} per cent of the ${period} gone`;
  return html`<svg class="burn" width=${width} height="12" role="img" aria-label=${label}><title>${label}</title>
    ${[rect(0, 2, width, 8, "fs"), rect(0, 2, spent, 8, b.remaining_usd <= 0 ? "fh" : "fi"), rect(spent, 2, x(b.spent_usd + b.reserved_usd) - spent, 8, "hatch"),
      line(at, 0, at, 12, "si2 w15")]}</svg>`;
}

const OF_COURSE = ["id", "name", "project", "created_at"];
const detail = (d) => Object.entries(d ?? {}).filter(([n, v]) => v !== null && typeof v !== "object" && !OF_COURSE.includes(n)).map(([n, v]) => ` · ${n.replaceAll("_", " ")} ${v}`).join("");

const DOERS = { admin: "the admin key", command: "a command", "": "somebody without a key" };

function Audit({ keys }) {
  const [limit, more] = useState(20), log = useData(`audit?limit=${limit}`, { every: 10_000 });
  const name = (id) => keys.find((k) => k.id === id)?.name, who = (by) => name(by) ?? DOERS[by] ?? (by.startsWith("oidc:") ? by.slice(5) : `key ${by.slice(-6)}`);
  const text = (a) => html`<b>${a.action}</b> ${name(a.subject) ?? html`<span class="mono">${a.subject}</span>`} <span class="t">${`by ${a.action.endsWith("decide") ? "busu itself" : who(a.by)}, project ${a.project}${detail(a.detail)}`}</span>`;
  const events = () => log.data.acts.map((a, i) => ({ key: `${a.at}${i}`, at: Date.parse(a.at), text: text(a) }));
  return html`<${Panel} title="Who did what" unit="the newest first" of=${log}>${() => html`<${EventLine} events=${events()} nothing="Nothing has been done yet that takes the role operate or admin." />
    ${log.data.next_cursor && limit < 500 && html`<p class="row l"><${Button} onClick=${() => more(Math.min(500, 5 * limit))}>More than ${count(limit)}</${Button}></p>`}`}</${Panel}>`;
}
