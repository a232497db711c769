// The address of what is shown: #/page/id?filters. It lies behind the #, because
// /requests and /experiments are the API's own paths, because the server then
// needs to know no page, and because what is looked for stays out of proxies'
// logs. The query belongs to all pages and survives a change of page, but for
// what has a meaning on one only.

import { useEffect, useState } from "./html.js";

const OF_ONE_PAGE = ["cursor", "live", "arm", "table"];

/** Reads a fragment: its path, the path's parts, and its query. */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(decode);
  return { page: parts[0] ?? "", id: parts[1] ?? null, parts, query: new URLSearchParams(query) };
}

const decode = (part) => { try { return decodeURIComponent(part); } catch { return part; } };

export const here = () => parse(location.hash);

/**
 * Gives the address of a page. Filters stay as they are now; changes sets some
 * of them: a value, several, or null to take one away.
 */
export function to(path, changes = {}) {
  const now = here(), query = new URLSearchParams(now.query);
  for (const name of OF_ONE_PAGE) if (path.split("/")[1] !== now.page) query.delete(name);
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    for (const v of [value].flat()) if (v !== null && v !== undefined && v !== "") query.append(name, v);
  }
  const text = query.toString();
  return `#${path}${text && "?"}${text}`;
}

/** The address of this page with other filters. */
export const change = (changes) => to(`/${here().parts.map(encodeURIComponent).join("/")}`, changes);

export function go(href, { replace = false } = {}) {
  if (href === location.hash) return;
  if (!replace) { location.hash = href; return; }
  history.replaceState(null, "", href);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Where one is. Other fragments than addresses, such as #main, change nothing. */
export function useRoute() {
  const [route, set] = useState(here);
  useEffect(() => {
    const moved = () => { if (location.hash === "" || location.hash.startsWith("#/")) set(here()); };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return route;
}

/** Addresses of former releases: /?window=1h. */
export function adoptOldAddress() {
  const window = new URLSearchParams(location.search).get("window");
  if (!window || location.hash) return;
  history.replaceState(null, "", `${location.pathname}#/?window=${encodeURIComponent(window)}`);
}
