// Icons of 16 px, drawn with the text's colour.

import { html } from "../core/html.js";

const PATHS = {
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.2v9.6L12.5 8Z",
  save: "M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.5h10",
  table: "M2.5 3.5h11v9h-11zM2.5 6.7h11M6.5 3.5v9",
  chart: "M2.5 13.5v-11M2.5 13.5h11M5 10.5l3-3.5 2 2 3.5-4.5",
  warn: "M8 2.2 14.3 13.3H1.7ZM8 6.5v3.2M8 11.6v.1",
  check: "M3 8.4 6.4 11.8 13 4.6",
  cross: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  plus: "M8 3.2v9.6M3.2 8h9.6",
  right: "M6 3.5 10.5 8 6 12.5",
  left: "M10 3.5 5.5 8 10 12.5",
  retry: "M13 8a5 5 0 1 1-1.6-3.7M13 2.2v3h-3",
  clock: "M2.4 8a5.6 5.6 0 1 0 11.2 0 5.6 5.6 0 1 0-11.2 0M8 4.8V8l2.2 1.6",
  theme: "M2.6 8a5.4 5.4 0 1 0 10.8 0 5.4 5.4 0 1 0-10.8 0M8 2.6v10.8",
};

export const Icon = ({ name }) => html`<svg class="ic" viewBox="0 0 16 16" aria-hidden="true"><path d=${PATHS[name]} />
  ${name === "theme" && html`<path d="M8 2.6v10.8A5.4 5.4 0 0 0 8 2.6Z" fill="currentColor" stroke="none" />`}</svg>`;
