// Asking for what a panel shows, and asking again.

import { backoff, client } from "./client.js";
import { useEffect, useState } from "./html.js";
import { useLivePart } from "./live.js";

const SLOWEST = 30_000; // between tries of what fails

/**
 * Asks for JSON at path and, with every, again each so many milliseconds, while
 * the page is seen and not paused. path null asks for nothing.
 *
 * Gives {data, problem, waiting, at, retry}: data is kept while another path is
 * asked for (waiting) and when asking again fails (problem); null before the
 * first answer. at is when it came, in milliseconds.
 */
export function useData(path, { every = 0, ask = (p, signal) => client.get(p, { signal }) } = {}) {
  const paused = useLivePart((live) => live.paused);
  const [state, set] = useState({ data: null, of: null, problem: null, at: 0 });
  const [turn, again] = useState(0);
  useEffect(() => client.onCaller(() => again((n) => n + 1)), []);
  useEffect(() => {
    if (path === null) return undefined;
    if (paused && state.of === path && turn === 0) return undefined;
    return poll(path, { every: paused ? 0 : every, ask, set });
  }, [path, every, paused, turn]);
  return { ...state, waiting: path !== null && state.of !== path && !state.problem, retry: () => again((n) => n + 1) };
}

/** Asks until what it gives is called. */
function poll(path, { every, ask, set }) {
  const over = new AbortController();
  let timer = 0, failed = 0;
  const next = (ms) => { timer = setTimeout(seen, ms); };
  const seen = () => {
    if (!document.hidden) { once(); return; }
    document.addEventListener("visibilitychange", seen, { once: true, signal: over.signal });
  };
  const once = async () => {
    try {
      const data = await ask(path, over.signal);
      if (over.signal.aborted) return;
      failed = 0;
      set({ data, of: path, problem: null, at: Date.now() });
      if (every) next(every);
    } catch (problem) {
      if (over.signal.aborted) return;
      set((s) => ({ ...s, problem }));
      if (every || problem.retryAfter) next(Math.max(problem.retryAfter ?? 0, backoff(++failed, SLOWEST), every));
    }
  };
  once();
  return () => {
    over.abort();
    clearTimeout(timer);
  };
}
