// What the page at / says of degraded states, held against what busu says.
import assert from "node:assert/strict";
import { test } from "node:test";

import { degraded } from "../../internal/dashboard/static/core/degraded.js";

const base = process.env.BUSU_URL;
const snapshot = { source: "redis", as_of: "2026-11-23T12:00:00Z" };
const ok = { postgres: "ok", redis: "ok", schema: "ok" };
const failing = (...names) => ({ ...ok, ...Object.fromEntries(names.map((name) => [name, "failing"])) });
const fromRows = { ...snapshot, source: "postgres" };

test("each state has its words", () => {
  for (const [state, what] of [
    [{ snapshot, stale: false, checks: ok }, undefined],
    [{ snapshot, stale: false, checks: null }, undefined],
    [{ snapshot: fromRows, stale: false, checks: null }, "Redis does not answer."],
    [{ snapshot: fromRows, stale: false, checks: failing("redis") }, "Redis does not answer."],
    [{ snapshot, stale: false, checks: failing("redis") }, "Redis does not answer."],
    [{ snapshot, stale: false, checks: failing("postgres") }, "PostgreSQL does not answer."],
    [{ snapshot, stale: false, checks: failing("postgres", "schema") }, "PostgreSQL does not answer."],
    [{ snapshot: fromRows, stale: true, checks: failing("postgres", "redis") }, "Redis and PostgreSQL do not answer."],
    [{ snapshot: fromRows, stale: true, checks: null }, "Redis and PostgreSQL do not answer."],
    [{ snapshot, stale: true, checks: failing("redis") }, "Redis does not answer."],
    [{ snapshot, stale: false, checks: failing("schema") }, "The database is not up to date yet."],
  ]) assert.equal(degraded(state)?.what, what, JSON.stringify(state));
  assert.match(degraded({ snapshot, stale: true, checks: ok }).what, /^Nothing has been counted since /);
});

test("busu speaks of itself in these words", async () => {
  const { checks } = await (await fetch(new URL("/readyz", base))).json();
  assert.deepEqual(Object.keys(checks).sort(), Object.keys(ok).sort());
  assert.ok(Object.values(checks).every((word) => word === "ok" || word === "failing"));
  const live = await (await fetch(new URL("/metrics/live", base))).json();
  assert.ok(["redis", "postgres"].includes(live.source) && !Number.isNaN(Date.parse(live.as_of)));
});
