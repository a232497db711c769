// Light, dark, or what the system says; kept in this browser. theme.js at the
// root applies it before the first paint.

const KEY = "busu-theme";

export const themes = ["auto", "light", "dark"];

export const theme = () => document.documentElement.dataset.theme ?? "auto";

export function setTheme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  try {
    if (name === "auto") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, name);
  } catch { /* storage is off: for this page only */ }
}
