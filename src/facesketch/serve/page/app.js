// Starts the page: what the server offers, which view is shown, colours, and where dropped pictures go.

import { loadServer, onTokenNeeded, server } from "./api.js";
import { startCompare } from "./compare.js";
import { byId, button, errorBox, icon } from "./dom.js";
import { startDraw } from "./draw.js";
import { watchPage } from "./intake.js";
import { startRuns } from "./runs.js";
import { startSearch } from "./search.js";
import { askForToken } from "./token.js";
import { startTranslate } from "./translate.js";

const THEMES = { system: "The system’s colours", light: "Light colours", dark: "Dark colours" };
const SYMBOLS = { system: "system", light: "sun", dark: "moon" };
let views = {};
let current = "";

function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

function paintThemeButton() {
  const control = byId("theme");
  control.replaceChildren(icon(SYMBOLS[theme()]));
  control.setAttribute("aria-label", `Colours: ${THEMES[theme()]}. Change`);
  control.title = THEMES[theme()];
}

function nextTheme() {
  const names = Object.keys(THEMES);
  const chosen = names[(names.indexOf(theme()) + 1) % names.length];
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  try {
    localStorage.setItem("facesketch-theme", chosen);
  } catch {
    // Storage may be forbidden; the choice then lasts until the page is closed.
  }
  paintThemeButton();
}

/** Show the view that the address names; a link inside the page leaves the view alone. */
function route(moveFocus) {
  const wanted = location.hash.slice(1);
  if (wanted === "main") return;
  const name = Object.hasOwn(views, wanted) ? wanted : "translate";
  if (name === current) return;
  views[current]?.hidden?.();
  current = name;
  for (const each of Object.keys(views)) byId(each).hidden = each !== name;
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("nav a"))) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${name[0].toUpperCase()}${name.slice(1)} · facesketch`;
  if (moveFocus) {
    scrollTo(0, 0);
    byId(`${name}-title`).focus({ preventScroll: true });
  }
  views[name].shown?.();
}

function describeServer() {
  byId("nav-search").hidden = !server.gallery;
  byId("nav-runs").hidden = !server.runs;
  byId("where").textContent = `facesketch ${server.health.version} · This page sends pictures to ${location.host} and nowhere else.`;
}

/** Ask the server what it offers; if it does not answer, say so and offer to try again. */
async function connect() {
  byId("connect-error")?.remove();
  try {
    await loadServer();
  } catch (error) {
    const box = errorBox(error, button("Try again", { onclick: connect }));
    box.id = "connect-error";
    byId("main").prepend(box);
    return;
  }
  describeServer();
  for (const view of Object.values(views)) view.ready?.();
  views[current].shown?.();
  document.documentElement.dataset.ready = "true";
}

function start() {
  onTokenNeeded(askForToken);
  const goTo = (name) => {
    location.hash = name;
  };
  views = { translate: startTranslate(), draw: startDraw({ goTo, searchFor: (file) => views.search.receive([file]) }), compare: startCompare(), search: startSearch(), runs: startRuns() };
  byId("theme").addEventListener("click", nextTheme);
  paintThemeButton();
  watchPage((files) => views[current].receive?.(files));
  addEventListener("hashchange", () => route(true));
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("main").focus();
  });
  route(false);
  connect();
}

start();
