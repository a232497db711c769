// What every module draws with: Preact, its hooks, and htm instead of a build
// step. Text is only ever set as text.

import { h } from "../vendor/preact.mjs";
import htm from "../vendor/htm.mjs";

export const html = htm.bind(h);

/** The words in what html`` made. As the key of what stands alone in its place, they make a new figure replace the old one, instead of moving it. */
export function wordsOf(made) {
  if (Array.isArray(made)) return made.map(wordsOf).join("");
  return made && typeof made === "object" ? wordsOf(made.props?.children) : String(made ?? "");
}

export { Fragment, createContext, h, render } from "../vendor/preact.mjs";
export { useCallback, useContext, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.mjs";
