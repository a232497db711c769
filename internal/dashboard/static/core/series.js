// Points over time, and what is not known between them. A point is {t, span}
// and its figures: the mean of the span milliseconds before t; span 0 is that
// of a snapshot, which comes each second and tells of the last minute.

const HOLE = 6000; // longer without a snapshot is not known

export class Series {
  constructor(points = []) { this.points = points; }

  get first() { return this.points[0]; }
  get last() { return this.points.at(-1); }

  /** Stretches of points without a hole from a time on, of those that have the figure name, where one is given. */
  runs(from, name) {
    const runs = [];
    let before = null;
    for (const p of this.points) {
      if (name && !known(p[name])) { before = null; continue; }
      if (p.t >= from) {
        if (!runs.length || !before || apart(before, p)) runs.push([]);
        runs.at(-1).push(p);
      }
      before = p;
    }
    return runs.filter((run) => run.length);
  }

  /** [from, to] of what is not known between the first point and end. */
  holes(from, end) {
    const edges = [...this.points, { t: end, span: this.last?.span }];
    return edges.slice(1).flatMap((p, i) => {
      const a = Math.max(edges[i].t, from);
      return apart(edges[i], p) && p.t > a ? [[a, p.t]] : [];
    });
  }

  nearest(t) {
    return this.points.reduce((best, p) => (Math.abs(p.t - t) < Math.abs(best.t - t) ? p : best), this.points[0]);
  }
}

export const known = (n) => typeof n === "number" && Number.isFinite(n);
const apart = (a, b) => b.t - a.t > Math.max(HOLE, 1.6 * Math.max(a.span ?? 0, b.span ?? 0));

const STEPS = { "1m": 60_000, "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000 };

/** The whole steps of a /metrics/history, with by=model or without; the one still being filled is left out. */
export function fromHistory(h) {
  const span = STEPS[h.step], seconds = span / 1000, asOf = Date.parse(h.as_of);
  return new Series(h.points.flatMap((p, i) => {
    const t = Date.parse(p.at) + span;
    if (t > asOf) return [];
    const rates = new Map((h.series ?? []).map((s) => [s.other ? "other" : s.name, s.points[i].requests / seconds]));
    return [{
      t, span, rate: p.requests / seconds, rates, ...p.latency_ms, first: p.ttft_ms.p50, ttft: p.ttft_ms.p95, overhead: p.overhead_ms.p99,
      errors: p.requests ? p.errors / p.requests : null, cost: (p.cost_usd * 3600) / seconds,
    }];
  }));
}
