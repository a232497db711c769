// What is degraded, in words, by what the server says of itself: of the
// snapshot its source and whether it is stale, of /readyz its checks.

import { clock } from "./format.js";

const KEPT = "Answers go out as before, and are kept until";

/**
 * Gives {what, so}, or null when all is well. snapshot is that of
 * /metrics/live, checks are those of /readyz, null while they are not known.
 */
export function degraded({ snapshot, stale, checks }) {
  const away = (store) => checks?.[store] === "failing";
  const redis = away("redis") || snapshot.source === "postgres";
  const postgres = away("postgres");
  const since = clock(Date.parse(snapshot.as_of));
  if (redis && (postgres || (stale && !checks))) {
    return { what: "Redis and PostgreSQL do not answer.", so: `${KEPT} they return. These figures are of ${since}.` };
  }
  if (redis) {
    const figures = stale ? `These figures are of ${since}.` : "Figures are counted from PostgreSQL: what is not stored yet is missing, totals and pipeline are not known.";
    return { what: "Redis does not answer.", so: `${KEPT} it returns. ${figures}` };
  }
  if (stale) {
    return { what: `Nothing has been counted since ${since}.`, so: "The aggregator stands still; answers may still go out, and will be counted when it returns." };
  }
  if (postgres) {
    return { what: "PostgreSQL does not answer.", so: `${KEPT} it returns. Figures go on, from Redis.` };
  }
  if (away("schema")) {
    return { what: "The database is not up to date yet.", so: `${KEPT} it is.` };
  }
  return null;
}
