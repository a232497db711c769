// The HTTP interface, wherever the page is served from.

const PATIENCE = 8000; // for one answer

/** A field without what is inside of it: arms of arms[0].share. */
const root = (field) => field.replace(/[.[].*/, "");

/** Problem is an answer that is not what was asked for, or none at all. */
export class Problem extends Error {
  constructor(status, detail, { requestID, type = "", errors = [] } = {}) {
    super(detail);
    Object.assign(this, { status, requestID, type, errors, at: Date.now() }); // status 0: no answer
  }

  get locked() { return this.status === 401 || this.type.endsWith(":forbidden"); }

  /** What was wrong with a field of the body, or inside of it, in sentences; undefined where nothing was. */
  about(field) { return sentences(this.errors.filter((e) => root(e.field) === field), field); }

  /** What was wrong with none of these fields. */
  beside(fields) {
    return this.errors.length ? sentences(this.errors.filter((e) => !fields.includes(root(e.field)))) : this.message;
  }
}

const sentences = (errors, shown) => errors.map((e) => `${e.field === shown ? "It" : e.field} ${e.message}.`).join(" ") || undefined;

export class Client {
  #listeners = new Set();
  #refused = () => {};

  /** Says that another caller looks at the page now. */
  changed() { for (const told of this.#listeners) told(); }

  /** Calls told with each new caller; gives what ends that. */
  onCaller(told) {
    this.#listeners.add(told);
    return () => this.#listeners.delete(told);
  }

  /** Calls told whenever busu does not know who asks. */
  onRefused(told) { this.#refused = told; }

  url(path) { return new URL(path, new URL(".", location.href)); }

  socketURL(path) {
    const url = this.url(path);
    url.protocol = url.protocol.replace("http", "ws");
    return url;
  }

  /** JSON at a path, relative to the page: get("requests?limit=5"). */
  get(path, { signal } = {}) { return this.#json(path, { signal }); }

  /** Sends a body as JSON. */
  post(path, body, { signal, headers } = {}) {
    return this.#json(path, { method: "POST", signal, body: JSON.stringify(body ?? {}), headers: { "Content-Type": "application/json", ...headers } });
  }

  patch(path, body) { return this.#json(path, { method: "PATCH", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }); }

  delete(path) { return this.#json(path, { method: "DELETE" }); }

  /** What the server needs, by name: "ok" or "failing"; null when it does not say. */
  async checks() {
    try {
      const response = await this.#ask("readyz", {});
      return (await response.json()).checks ?? null; // also with status 503
    } catch {
      return null;
    }
  }

  /** A response whose body is read as it comes; with a body, it is posted as JSON. */
  async open(path, { signal, headers, body } = {}) {
    const sent = body && { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } };
    const response = await this.#ask(path, { signal, headers, ...sent, patience: null });
    if (response.ok) return response;
    throw await problemOf(response);
  }

  async #json(path, request) {
    const response = await this.#ask(path, request);
    if (response.status === 204) return null;
    if (!response.ok) throw await problemOf(response);
    const body = await response.json().catch(() => null);
    if (body !== null) return body;
    throw new Problem(response.status, "It answered with something that is no JSON.", { requestID: response.headers.get("X-Request-Id") });
  }

  async #ask(path, { signal, headers, patience = PATIENCE, ...request }) {
    const signals = [signal, patience && AbortSignal.timeout(patience)].filter(Boolean);
    try {
      const response = await fetch(this.url(path), { ...request, headers, cache: "no-store", credentials: "same-origin", signal: signals.length ? AbortSignal.any(signals) : undefined });
      if (response.status === 401 && path !== "session" && path !== "whoami") this.#refused();
      return response;
    } catch (err) {
      if (signal?.aborted) throw err;
      const late = err.name === "TimeoutError";
      throw Object.assign(new Problem(0, late ? `It took longer than ${PATIENCE / 1000} s to answer.` : "Nothing answers at this address."), { late });
    }
  }
}

async function problemOf(response) {
  const body = await response.json().catch(() => null);
  const wait = response.headers.get("Retry-After");
  return Object.assign(new Problem(response.status, body?.detail ?? body?.title ?? `It answered with status ${response.status}.`, {
    requestID: body?.request_id ?? response.headers.get("X-Request-Id"), type: body?.type, errors: body?.errors,
  }), { retryAfter: wait ? 1000 * Number(wait) : 0 });
}

export const client = new Client();

/** How long to wait after n failures in a row, of most milliseconds. */
export const backoff = (n, most) => Math.min(most, 1000 * 2 ** (n - 1)) * (0.75 + Math.random() / 2);
