// What can be pressed, chosen and filled in.

import { html, useEffect, useId, useRef, useState } from "../core/html.js";
import { change, here } from "../core/router.js";
import { Icon } from "./icons.js";

/** A button, or with href a link that looks like one. kind: solid, quiet, icon; label names one without text. */
export function Button({ kind = "", icon, label, children, href, ...rest }) {
  const inside = html`${icon && html`<${Icon} name=${icon} />`}${children}`;
  const common = { class: `btn ${kind}`, "aria-label": label, title: label, ...rest };
  return href ? html`<a ...${common} href=${href}>${inside}</a>` : html`<button type="button" ...${common}>${inside}</button>`;
}

/** One of several, kept in the address under name: options are [value, text]. */
export function Segmented({ name, label, options, value }) {
  return html`<div class="seg" role="group" aria-label=${label}>${options.map(([option, text]) =>
    html`<a key=${option} href=${change({ [name]: option })} aria-current=${option === value ? "true" : undefined}>${text}</a>`)}</div>`;
}

/** The value of name in the address, if it is one of options, else the first that is preferred. */
export function chosen(name, options, otherwise = options[0][0]) {
  const value = here().query.get(name);
  return options.some(([option]) => option === value) ? value : otherwise;
}

export const Tag = ({ mood = "", children }) => html`<span class="tag ${mood}">${children}</span>`;

/** A state as a dot: "", half, off, wait. Words stand beside it. */
export const Dot = ({ kind = "" }) => html`<span class="dot ${kind}" aria-hidden="true"></span>`;

/** A filter that is set; without it leads to the address where it is not. */
export const Chip = ({ name, value, without }) => html`<span class="chip"><span>${name}</span> ${value}
  ${without && html`<a href=${without} aria-label="Remove the filter ${name} ${value}" title="Remove"><${Icon} name="cross" /></a>`}</span>`;

/** A labelled input; options make it a choice of [value, text]. */
export function Field({ label, hint, problem, options, ...input }) {
  const id = useId();
  const about = hint || problem ? `${id}-about` : undefined;
  const common = { id, "aria-describedby": about, "aria-invalid": problem ? "true" : undefined, ...input };
  return html`<div class="fld"><label for=${id}>${label}</label>
    ${options ? html`<select ...${common}>${options.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select>`
      : input.type === "area" ? html`<textarea ...${common} type=${undefined} />` : html`<input ...${common} />`}
    ${about && html`<p id=${about} class=${problem ? "xs bad" : "xs t"}>${problem ?? hint}</p>`}</div>`;
}

/** Copies text; says so for two seconds. Pages that came over plain HTTP from another machine have no clipboard. */
export function Copy({ text, what = "", children, kind = "icon" }) {
  const [done, set] = useState("");
  if (!navigator.clipboard) return null;
  const copy = async () => {
    set(await navigator.clipboard.writeText(typeof text === "function" ? text() : text).then(() => "Copied", () => "Not copied: select it by hand"));
    setTimeout(() => set(""), 2000);
  };
  return html`<${Button} kind=${kind} icon=${done === "Copied" ? "check" : "copy"} label=${done || `Copy ${what}`} onClick=${copy}>${children && (done || children)}</${Button}>`;
}

/** A button that opens a sheet below it; Escape, or a press elsewhere, closes it. */
export function Menu({ text, icon, kind = "quiet", children }) {
  const box = useRef(null);
  useEffect(() => {
    const away = (e) => {
      if (!box.current?.open || (e.type === "keydown" ? e.key !== "Escape" : box.current.contains(e.target))) return;
      box.current.open = false;
      if (e.type === "keydown") box.current.firstElementChild.focus();
    };
    const close = () => { if (box.current) box.current.open = false; };
    addEventListener("keydown", away);
    addEventListener("pointerdown", away);
    addEventListener("hashchange", close);
    return () => {
      removeEventListener("keydown", away);
      removeEventListener("pointerdown", away);
      removeEventListener("hashchange", close);
    };
  }, []);
  return html`<details class="menu" ref=${box}><summary class="btn ${kind}">${icon && html`<${Icon} name=${icon} />`}${text}</summary><div class="sheet">${children}</div></details>`;
}
