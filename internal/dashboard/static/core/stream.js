// Server-sent events over fetch: unlike EventSource, it says why it is refused.

import { Problem, client } from "./client.js";

/** The events of a response that has begun: {name, data, id}, data as text, name "" for an id alone. */
export async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value.replaceAll("\r\n", "\n")).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) yield parseEvent(block);
  }
}

function parseEvent(block) {
  const event = { name: "", data: "", id: "" };
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    if (at < 1) continue; // a comment
    const value = line.slice(at + 1).replace(/^ /, "");
    const field = { event: "name", data: "data", id: "id" }[line.slice(0, at)];
    if (field) event[field] = field === "data" && event.data ? `${event.data}\n${value}` : value;
  }
  return event;
}

/** Reads what a stream has behind lastID; throws a Problem where that is refused or does not begin, and stops when nothing came for quiet milliseconds. */
export async function drain(path, { signal, lastID = "", quiet = 700 } = {}) {
  const over = new AbortController(), found = [];
  const stop = () => over.abort();
  let timer = setTimeout(stop, 4000), id = lastID, begun = false;
  signal?.addEventListener("abort", stop);
  try {
    const response = await client.open(path, { signal: over.signal, headers: lastID ? { "Last-Event-ID": lastID } : {} });
    begun = true;
    for await (const event of eventsOf(response)) {
      clearTimeout(timer);
      timer = setTimeout(stop, quiet);
      if (event.id) id = event.id;
      if (event.data) found.push(event);
    }
  } catch (err) {
    if (!over.signal.aborted) throw err;
    if (!begun && !signal?.aborted) throw Object.assign(new Problem(0, "The stream does not begin."), { late: true });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
  return { events: found, lastID: id };
}
