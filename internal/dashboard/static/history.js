// The last minutes, kept in the page: one point per snapshot.

const KEPT = 10 * 60_000;
const HOLE = 6000; // longer without a snapshot is not known

export class History {
  points = [];

  push(s) {
    const t = Date.parse(s.as_of);
    const last = this.points.at(-1)?.t ?? 0;
    if (t === last) return;
    if (t < last) this.points = []; // another clock
    const rates = new Map(Object.entries(s.by_model).map(([name, m]) => [name, m.requests / 60]));
    this.points.push({ t, rate: s.requests_per_second, rates, ...s.latency_ms });
    while (this.points[0].t < t - KEPT) this.points.shift();
  }

  /** Stretches of points without a hole, from a time on. */
  runs(from, points = this.points) {
    const runs = [];
    let before = null;
    for (const p of points) {
      if (p.t >= from) {
        if (!before || p.t - before.t > HOLE) runs.push([]);
        runs.at(-1).push(p);
      }
      before = p;
    }
    return runs.filter((run) => run.length);
  }

  /** [from, to] of what is not known between the first point and end. */
  holes(from, end) {
    const edges = [...this.points, { t: end }];
    return edges.slice(1)
      .map((p, i) => [Math.max(edges[i].t, from), p.t])
      .filter(([a, b], i) => edges[i + 1].t - edges[i].t > HOLE && b > a);
  }

  nearest(t) {
    return this.points.reduce((best, p) => (Math.abs(p.t - t) < Math.abs(best.t - t) ? p : best), this.points[0]);
  }
}
