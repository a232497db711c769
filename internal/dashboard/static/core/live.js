// What all pages know of now: the live snapshot, how the feed is, what the
// server needs, and whether the reader has paused it.

import { client } from "./client.js";
import { Feed } from "./feed.js";
import { createContext, useContext, useEffect, useState } from "./html.js";
import { Ramp } from "./ramp.js";
import { Recent } from "./recent.js";

const FRESH = 5000; // a snapshot that has not moved for longer is stale
const SOON = 1000; // since the page began
const LOOK = 3000; // between looks at what the server needs

export class Live {
  snapshot = null;
  checks = null; // of /readyz, as they were last
  recent = new Recent();
  ramp = new Ramp();
  #movedAt = 0; // when the snapshot's as_of last advanced, by our own clock
  #downSince = 0;
  #listeners = new Set();

  constructor() {
    this.feed = new Feed(client, (s) => this.#take(s), () => this.#tell());
    client.onCaller(() => this.feed.start());
  }

  /** Begins; once, for the life of the page. */
  start() {
    this.feed.start();
    setInterval(() => this.#tell(), 1000); // ages grow
    this.#look();
    const wake = () => { if (this.feed.state.mode === "down") this.feed.start(); };
    addEventListener("online", wake);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) wake(); });
  }

  onChange(told) {
    this.#listeners.add(told);
    return () => this.#listeners.delete(told);
  }

  get mode() { return this.feed.state.mode; }
  get paused() { return this.mode === "paused"; }

  /** Whether it is known if a key is wanted; a server that does not say so soon is not waited for. */
  get settled() { return this.snapshot !== null || this.mode !== "connecting" || performance.now() > SOON; }

  /** Milliseconds since the snapshot moved; by our clock, for the server's may differ. */
  get old() { return performance.now() - this.#movedAt; }
  get stale() { return Boolean(this.snapshot && (this.snapshot.stale || this.old > FRESH)); }

  /** Milliseconds since nothing answers; 0 while something does. */
  get downFor() { return this.#downSince ? performance.now() - this.#downSince : 0; }

  togglePause() {
    if (this.paused) this.feed.start();
    else this.feed.pause();
  }

  #take(s) {
    if (s.as_of !== this.snapshot?.as_of) this.#movedAt = performance.now();
    this.snapshot = s;
    this.recent.push(s);
    this.ramp.learn("now", s.by_model);
    this.#tell();
  }

  #tell() {
    if (this.mode === "down" || this.mode === "reconnecting") this.#downSince ||= performance.now();
    else if (this.mode !== "connecting") this.#downSince = 0;
    for (const told of this.#listeners) told();
  }

  async #look() {
    if (this.mode === "live" || this.mode === "polling") {
      this.checks = await client.checks();
      this.#tell();
    }
    setTimeout(() => this.#look(), LOOK);
  }
}

export const LiveContext = createContext(null);

/** The Live of the page; draws again whenever it changes, twice a second. */
export function useLive() {
  const live = useContext(LiveContext);
  useLivePart(() => ({}));
  return live;
}

/** What read makes of the Live; draws again only when that changes. */
export function useLivePart(read) {
  const live = useContext(LiveContext);
  const [part, set] = useState(() => read(live));
  useEffect(() => {
    set(read(live));
    return live.onChange(() => set(read(live)));
  }, [live]);
  return part;
}

/** The Live for those who look when they are drawn anyway. */
export const useLiveQuietly = () => useContext(LiveContext);
