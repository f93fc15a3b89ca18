/** Light or dark: as the system has it, until a person chooses. */
import { load, save } from "./storage.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Show the chosen theme, or that of the system. */
export function applyTheme() {
  const chosen = load("theme");
  document.documentElement.dataset["theme"] = chosen ?? (dark.matches ? "dark" : "light");
}

/** Change between light and dark, also for the next visit. */
export function toggleTheme() {
  save("theme", document.documentElement.dataset["theme"] === "dark" ? "light" : "dark");
  applyTheme();
}

/** Follow the system. */
export function startTheme() {
  applyTheme();
  dark.addEventListener("change", applyTheme);
}
