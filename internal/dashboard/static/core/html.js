// What every module draws with: Preact, its hooks, and htm instead of a build
// step. Text is only ever set as text.

import { h } from "../vendor/preact.mjs";
import htm from "../vendor/htm.mjs";

export const html = htm.bind(h);
export { Fragment, createContext, h, render } from "../vendor/preact.mjs";
export { useCallback, useContext, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.mjs";
