// A button that says what it does before it does it.

import { html, useLayoutEffect, useRef, useState } from "../core/html.js";
import { Button } from "./controls.js";
import { announce } from "./speech.js";

/**
 * text is the button's, says what will happen. act does it, with the values of
 * the fields that children, a function, draws: it gets wrong(field), what the
 * server said of it. What act gives is shown once it is done; else the sheet
 * closes. done is called when it does after that.
 */
export function Confirm({ text, says, act, done, children, kind = "quiet", ...rest }) {
  const [state, set] = useState(null), box = useRef(null);
  useLayoutEffect(() => { if (state && !box.current.open) box.current.showModal(); }, [state]);
  const close = () => {
    box.current?.close();
    set(null);
    if (state?.done) done?.();
  };
  const submit = async (e) => {
    e.preventDefault();
    set({ busy: true });
    try {
      const shown = await act(Object.fromEntries(new FormData(e.target)));
      announce(`${text}: done.`);
      if (shown) { set({ done: true, shown }); return; }
      set(null);
      done?.();
    } catch (problem) {
      set({ problem });
    }
  };
  const canceled = (e) => {
    e.preventDefault();
    close();
  };
  return html`<${Button} kind=${kind} ...${rest} onClick=${() => set({})}>${text}</${Button}>
    ${state && html`<dialog ref=${box} aria-label=${text} onCancel=${canceled}>
      ${state.shown ? html`${state.shown}<p class="row l"><${Button} kind="solid" onClick=${close}>Done</${Button}></p>`
        : html`<form onSubmit=${submit}><${Sheet} ...${{ text, says, children, state, close }} /></form>`}</dialog>`}`;
}

function Sheet({ text, says, children, state: { problem, busy }, close }) {
  const drawn = [], wrong = (field) => {
    drawn.push(field);
    return problem?.about(field);
  };
  const fields = children?.(wrong), rest = problem?.beside(drawn);
  return html`<h2>${text}</h2><p class="note">${says}</p>${fields}${rest && html`<p class="bad" role="alert">${rest}</p>`}
    <p class="row l"><${Button} type="submit" kind="solid" disabled=${busy}>${text}</${Button}><${Button} kind="quiet" onClick=${close}>Cancel</${Button}></p>`;
}
