// The live feed: a WebSocket where one can be had, plain GETs where not, and
// patience where neither answers.

import { backoff } from "./client.js";

const POLL = 2000; // between plain GETs
const SILENCE = 4000; // an open socket that sends nothing for so long is lost
/**
 * Feed calls onSnapshot with each snapshot and onChange whenever its state
 * does. State.mode is one of connecting, live (socket), polling, reconnecting,
 * down (see problem, nextTry), locked (somebody has to sign in) and paused.
 */
export class Feed {
  state = { mode: "connecting" };
  #socket = null;
  #timer = 0;
  #turn = 0; // invalidates what a former turn still waits for
  #lost = 0; // sockets in a row that were lost
  #failed = 0; // GETs in a row that failed
  #redialAt = 0;

  constructor(client, onSnapshot, onChange) {
    Object.assign(this, { client, onSnapshot, onChange });
  }

  /** Connects now, whatever was going on. */
  start() {
    this.#reset();
    this.#lost = this.#failed = this.#redialAt = 0;
    this.#enter({ mode: this.state.mode === "connecting" ? "connecting" : "reconnecting" });
    this.#poll(); // first, for a GET says why it is refused and a socket does not
  }

  pause() {
    this.#reset();
    this.#enter({ mode: "paused" });
  }

  #reset() {
    this.#turn++;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #enter(state) {
    this.state = { problem: null, nextTry: 0, ...state };
    this.onChange();
  }

  #after(ms, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
  }

  #dial() {
    const socket = new WebSocket(this.client.socketURL("metrics/live?interval=1s"));
    this.#socket = socket;
    const lose = () => {
      if (socket !== this.#socket) return;
      this.#reset();
      this.#redialAt = performance.now() + backoff(++this.#lost, 60_000);
      if (this.state.mode === "live") this.#enter({ mode: "reconnecting" });
      this.#poll();
    };
    socket.onclose = socket.onerror = lose;
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#after(SILENCE, lose);
      this.#lost = this.#failed = 0;
      this.onSnapshot(JSON.parse(data));
      if (this.state.mode !== "live") this.#enter({ mode: "live" });
    };
    this.#after(SILENCE, lose);
  }

  async #poll() {
    const turn = ++this.#turn;
    try {
      const snapshot = await this.client.get("metrics/live");
      if (turn !== this.#turn) return;
      this.#answered(snapshot);
    } catch (problem) {
      if (turn !== this.#turn) return;
      this.#refused(problem);
    }
  }

  #answered(snapshot) {
    this.#failed = 0;
    this.onSnapshot(snapshot);
    const dial = performance.now() >= this.#redialAt;
    const mode = dial && this.state.mode !== "polling" ? "connecting" : "polling";
    if (this.state.mode !== mode) this.#enter({ mode });
    if (dial) this.#dial();
    else this.#after(POLL, () => this.#poll());
  }

  #refused(problem) {
    if (problem.locked) {
      this.#enter({ mode: "locked", problem });
      return;
    }
    const wait = backoff(++this.#failed, 15_000);
    this.#redialAt = 0; // as soon as something answers again
    this.#enter({ mode: "down", problem, nextTry: performance.now() + wait });
    this.#after(wait, () => this.#poll());
  }
}
