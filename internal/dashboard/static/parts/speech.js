// What is said to those who listen: of how it goes twice a minute at most, of
// what is wrong at once.

import { html, useEffect, useState } from "../core/html.js";

const REST = 30_000;

let spokeAt = performance.now() - REST + 3000, tell = () => {};

/** Says text unless something was said a short while ago. */
export function mention(text) {
  if (performance.now() - spokeAt > REST) announce(text);
}

/** Says text now. */
export function announce(text) {
  spokeAt = performance.now();
  tell(text);
}

export function Speech() {
  const [text, set] = useState("");
  useEffect(() => { tell = set; }, []);
  return html`<p class="vh" aria-live="polite">${text}</p>`;
}
