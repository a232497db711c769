// Who looks at the page: what GET whoami says, and whether somebody has to sign
// in. The page holds no key: browsers send the cookie of a session by themselves.

import { client } from "./client.js";
import { useEffect, useState } from "./html.js";

const AGAIN = 60_000; // between questions, each of which renews the session
const SOON = 2000; // after one that was not answered

const WHO_MAY = {
  read: "the role admin, operate or read", complete: "the role admin, operate or complete", operate: "the role admin or operate",
  oversee: "the role admin or operate, of all projects", administer: "the role admin",
};

class Caller {
  who = null; // the answer, as it was last; null before
  wanted = false; // whether somebody has to sign in
  #timer = 0;
  #listeners = new Set();

  /** Begins to ask, for the life of the page. */
  start() {
    client.onRefused(() => this.#ask()); // which tells one that is late from one that holds
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.#ask(); });
    this.#ask();
  }

  onChange(told) {
    this.#listeners.add(told);
    return () => this.#listeners.delete(told);
  }

  /** Whether the caller may do something; as long as nothing is known, nothing is hidden. */
  may(action) { return this.who === null || this.who.may.includes(action); }

  /** Signs in with a key; throws the Problem of one that is refused. */
  async signIn(key) { this.#take(await client.post("session", { key })); }

  async signOut() {
    try {
      await client.delete("session");
    } finally {
      this.who = null;
      this.#want();
    }
  }

  async #ask() {
    clearTimeout(this.#timer);
    let wait = AGAIN;
    try {
      const who = await client.get("whoami");
      if (this.wanted || who.by !== this.who?.by || who.project !== this.who?.project) this.#take(who);
      else this.who = who;
    } catch (problem) {
      if (problem.status === 401) this.#want();
      else wait = SOON;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), wait);
  }

  #take(who) {
    const before = this.who, wanted = this.wanted;
    Object.assign(this, { who, wanted: false });
    this.#tell();
    if (wanted || before) client.changed();
  }

  #want() {
    if (this.wanted) return;
    this.wanted = true;
    this.#tell();
  }

  #tell() { for (const told of this.#listeners) told(); }
}

export const caller = new Caller();

/** What read makes of the caller; draws again when that changes. */
export function useCaller(read) {
  const [part, set] = useState(() => read(caller));
  useEffect(() => {
    set(read(caller));
    return caller.onChange(() => set(read(caller)));
  }, []);
  return part;
}

export const useMay = (action) => useCaller((c) => c.may(action));

/** What it takes to do something, in words. */
export const whoMay = (action) => WHO_MAY[action];
