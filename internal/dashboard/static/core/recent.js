// The last minutes, kept in the page: one point per snapshot, each of the
// minute before it.

import { Series } from "./series.js";

const KEPT = 10 * 60_000;

export class Recent extends Series {
  seeded = false;

  push(s) {
    const t = Date.parse(s.as_of), last = this.last?.t ?? 0;
    if (t === last) return;
    if (t < last) this.points = []; // another clock
    const { memory, redis, postgres, miss } = s.cache, asked = memory + redis + postgres + miss;
    this.points.push({
      t, span: 0, rate: s.requests_per_second, rates: new Map(Object.entries(s.by_model).map(([name, m]) => [name, m.requests / 60])),
      ...s.latency_ms, first: s.ttft_ms.p50, ttft: s.ttft_ms.p95, overhead: s.overhead_ms.p99,
      errors: s.total_requests ? s.errors / s.total_requests : null, cost: s.cost_usd_per_hour, hits: asked ? (asked - miss) / asked : null,
    });
    while (this.points[0].t < t - KEPT) this.points.shift();
  }

  /** Puts whole minutes before the first snapshot, once, so that the page does not open on nothing. */
  seed(minutes) {
    if (this.seeded || !this.points.length) return;
    this.seeded = true;
    const from = minutes.findIndex((p) => p.rate > 0);
    if (from < 0) return;
    const { t } = this.first;
    this.points.unshift(...minutes.slice(from).filter((p) => p.t < t && p.t > t - KEPT));
  }
}
