// Signing in and out.

import { caller, useCaller, whoMay } from "../core/caller.js";
import { client } from "../core/client.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../core/html.js";
import { change, go, here } from "../core/router.js";
import { Button, Field } from "./controls.js";
import { PageHead } from "./shell.js";
import { announce } from "./speech.js";
import { Nothing } from "./states.js";

const PLACE = "busu-place"; // where somebody was who has left to sign in

const REFUSALS = {
  stale: "Signing in took too long, or was begun in another browser. Try again.",
  denied: "The identity provider did not let you in, or you said no there.",
  "no-role": "You are known, and may do nothing here yet: ask for a role.",
  failed: "What the identity provider said could not be believed. The log says why.",
  away: "The identity provider or PostgreSQL does not answer. Try again.",
};

/** Goes back to where somebody was who has come back from signing in. */
export function adoptPlace() {
  const place = sessionStorage.getItem(PLACE);
  sessionStorage.removeItem(PLACE);
  if (place && !here().query.get("refused")) go(place, { replace: true });
}

/** Asks for a key, or sends to who vouches for people. */
function Form({ focus }) {
  const [{ problem, busy }, set] = useState({}), [ways, tell] = useState(null), form = useRef(null);
  const refused = REFUSALS[here().query.get("refused")];
  useEffect(() => {
    if (focus) form.current.querySelector("input[type=password]").focus();
    client.get("session").then(tell, () => {});
  }, []);
  const signIn = async (e) => {
    e.preventDefault();
    const key = new FormData(form.current).get("key").trim();
    form.current.reset();
    set({ busy: true });
    try {
      await caller.signIn(key);
      announce("You are signed in.");
      if (refused) go(change({ refused: null }), { replace: true });
    } catch (err) {
      set({ problem: err.status === 401 ? "This key was not accepted." : err.about?.("key") ?? err.message });
    }
  };
  const leave = () => sessionStorage.setItem(PLACE, change({ refused: null }));
  return html`<form ref=${form} onSubmit=${signIn}>${refused && html`<p class="bad" role="alert">${refused}</p>`}
    ${ways?.oidc && html`<p class="row l"><${Button} kind="solid" href="session/oidc" onClick=${leave}>Sign in with ${ways.oidc}</${Button}></p><p class="t">or with a key:</p>`}
    <input class="vh" type="text" autocomplete="username" value="busu" readonly tabindex="-1" aria-hidden="true" />
    <${Field} label="Key" name="key" type="password" required autocomplete="current-password" spellcheck="false" problem=${problem} />
    <button class="btn solid" type="submit" disabled=${busy}>Sign in</button></form>`;
}

/** The page of who is not signed in. */
export const SignIn = () => html`<${PageHead} title="Sign in" /><section class="emp">
  <div><h2 class="say">This busu asks who you are.</h2><p class="note">A key with the role admin, operate or read opens it. The page does not keep the key: it gets a session, which ends with it.</p></div>
  <${Form} focus /></section>`;

/** Over the page of who was signed in and is no more. What is written there stays. */
export function SignInAgain() {
  const box = useRef(null);
  useLayoutEffect(() => { if (!box.current.open) box.current.showModal(); }, []);
  return html`<dialog ref=${box} aria-label="Sign in again" onCancel=${(e) => e.preventDefault()}><h2>Sign in again</h2>
    <p class="note">Your session has ended, or its key has. The page stays as it is.</p><${Form} focus /></dialog>`;
}

/** Who is signed in, and the way out. */
export function Who() {
  const who = useCaller((c) => c.who);
  if (!who?.session) return null;
  const name = who.person ?? who.key?.name ?? "admin key", of = who.all_projects ? "all projects" : who.project;
  return html`<${Button} kind="quiet who" label="Sign out ${name}, ${who.role} of ${of}" onClick=${() => caller.signOut().catch((p) => announce(p.message))}>Sign out</${Button}>`;
}

/** In the place of what the caller may not see. */
export const Forbidden = ({ title, needs }) => html`<${PageHead} title=${title} /><${Nothing} title="You may not see this page.">It takes ${whoMay(needs)}. You have the role ${caller.who?.role}, of ${caller.who?.all_projects ? "all projects" : `the project ${caller.who?.project}`}.</${Nothing}>`;
