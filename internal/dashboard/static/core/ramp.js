// Models in the order of what a request to them costs, each with its step of
// the colour ramp: more contrast with the page is more money.

const STEPS = 5; // beyond, the models with the most requests have one, the rest share "other"
const CLEARLY = 1.15; // a model changes its place only for a clear difference

export class Ramp {
  #order = [];
  #step = new Map();
  #windows = new Map();

  /**
   * Takes in shares by model of one of the windows that are shown. Of a model,
   * the window in which it has most requests tells its cost.
   */
  learn(window, shares) {
    this.#windows.set(window, shares);
    const best = new Map();
    for (const shares of this.#windows.values()) {
      for (const [name, s] of Object.entries(shares)) {
        if (s.requests > (best.get(name)?.requests ?? 0)) best.set(name, s);
      }
    }
    this.#sort(best);
    const top = [...best].sort((a, b) => b[1].requests - a[1].requests).slice(0, STEPS).map(([name]) => name);
    const shown = this.#order.filter((name) => top.includes(name));
    this.#step = new Map(shown.map((name, i) => [name, stepOf(i, shown.length)]));
  }

  /** The same of requests as they are listed: colours are known where nothing was asked lately, too. */
  learnFrom(requests) {
    const shares = {};
    for (const { model, cache, cost_usd } of requests) {
      if (!model || cache !== "miss") continue;
      const s = (shares[model] ??= { requests: 0, cost_usd: 0 });
      s.requests++;
      s.cost_usd += cost_usd;
    }
    this.learn("requests", shares);
  }

  #sort(best) {
    const cost = (name) => best.get(name).cost_usd / best.get(name).requests;
    const stay = this.#order.filter((name) => best.has(name));
    const come = [...best.keys()].filter((name) => !stay.includes(name)).sort();
    this.#order = [];
    for (const name of [...stay, ...come]) {
      const margin = stay.includes(name) ? CLEARLY : 1;
      let at = this.#order.length;
      while (at > 0 && cost(this.#order[at - 1]) > cost(name) * margin) at--;
      this.#order.splice(at, 0, name);
    }
  }

  /** All models, cheap to dear. */
  get names() { return this.#order; }

  /** The step of a model, 1 to 5, or 0 for those that share "other". */
  step(name) { return this.#step.get(name) ?? 0; }

  /** What is drawn, cheap to dear: [name, step, the models in it]. */
  groups() {
    const others = this.#order.filter((name) => !this.#step.has(name));
    const groups = this.#order.filter((name) => this.#step.has(name)).map((name) => [name, this.step(name), [name]]);
    return others.length ? [["other", 0, others], ...groups] : groups;
  }
}

const stepOf = (i, n) => (n === 1 ? 3 : 1 + Math.round((i * (STEPS - 1)) / (n - 1)));
