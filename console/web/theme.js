// Light or dark: as the system has it, or as somebody has chosen.

const kept = "dialbridge.theme";
const listeners = new Set();

let chosen = "auto";
try { chosen = localStorage.getItem(kept) || "auto"; } catch { /* storage may be forbidden */ }
apply();

function apply() {
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
}

/** "auto", "light" or "dark". */
export const theme = () => chosen;

/** Whether it is dark now, for what draws on a canvas. */
export const isDark = () => (chosen === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark");

/** Chooses, and remembers it. */
export function setTheme(next) {
  chosen = next;
  try { localStorage.setItem(kept, next); } catch { /* for this visit then */ }
  apply();
  for (const f of listeners) f(next);
}

/** Calls f when it may have changed; returns what ends that. */
export function onTheme(f) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const changed = () => f(chosen);
  listeners.add(f);
  system.addEventListener("change", changed);
  return () => { listeners.delete(f); system.removeEventListener("change", changed); };
}
