// Applies the chosen theme before the first paint; without one the system decides.
try {
  const theme = localStorage.getItem("busu-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch { /* storage is off */ }
