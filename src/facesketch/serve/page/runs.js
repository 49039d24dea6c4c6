// The view of trainings: the list with its progress, and the losses and samples of one as they come in.

import { getJson, pictureUrl, server } from "./api.js";
import { charts } from "./curves.js";
import { byId, el, errorBox, fill, field } from "./dom.js";

const EVERY = 3000;
const STATES = { waiting: "starting", running: "running", stopped: "stopped", ended: "finished", unreadable: "cannot be read" };
const DIRECTIONS = { photo2sketch: "photo to sketch", sketch2photo: "sketch to photo" };
const parts = {};
let chosen = null;
let other = "";
let sample = "latest";
let timer = 0;
let visible = false;

const nameOf = (id) => id.replaceAll("~", " / ");
const reasonOf = (run) => run.reason.replace("config.toml", "the settings file").replace("log.jsonl", "the log");
const encoded = (id) => encodeURIComponent(id);

function row(run) {
  const share = run.steps ? Math.min(1, run.step / run.steps) : 0;
  const bar = el("progress", { max: 1, value: share, "aria-label": `Progress of ${run.id}` });
  const far = run.steps ? `${run.step.toLocaleString("en-GB")} of ${run.steps.toLocaleString("en-GB")} steps` : `${(run.step ?? 0).toLocaleString("en-GB")} steps`;
  const epoch = run.epoch ? ` · epoch ${run.epoch}` : "";
  const state = el("span", { class: `state ${run.state}` }, STATES[run.state] ?? run.state);
  const facts = run.reason ? [el("span", { class: "fine" }, reasonOf(run))] : [el("span", { class: "fine" }, `${run.method} · ${DIRECTIONS[run.direction] ?? ""}`), bar, el("span", { class: "fine" }, far + epoch)];
  const props = { type: "button", class: "run", "aria-pressed": String(run.id === chosen), "data-run": run.id, onclick: () => choose(run.id) };
  return el("li", {}, el("button", props, el("span", { class: "run-name" }, nameOf(run.id), state), facts));
}

function list(runs) {
  const focused = document.activeElement instanceof HTMLElement && document.activeElement.dataset.run;
  parts.list.replaceChildren(...runs.map(row));
  if (focused) parts.list.querySelector(`[data-run="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/** Settings as one list: `{train: {seed: 0}}` becomes "train seed". */
function flat(value, front = "") {
  return Object.entries(value).flatMap(([name, each]) => {
    const words = `${front} ${name.replaceAll("_", " ")}`.trim();
    if (each === null || each === "") return [];
    if (typeof each === "object" && !Array.isArray(each)) return flat(each, words);
    return [[words, Array.isArray(each) ? each.join(", ") : String(each)]];
  });
}

function settings(config) {
  const rows = flat(config).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
  return el("details", {}, el("summary", {}, "Settings"), el("dl", { class: "facts" }, rows));
}

async function showSample(id, numbers) {
  if (!numbers.length) {
    parts.sample.replaceChildren(el("p", { class: "fine" }, "No sample has been drawn yet."));
    return;
  }
  const number = String(numbers.find((each) => String(each) === sample) ?? numbers.at(-1));
  const key = `${id}/${number}`;
  if (parts.sample.dataset.key === key) return;
  const url = await pictureUrl(`v1/runs/${encoded(id)}/samples/${encoded(number)}`);
  if (id !== chosen) {
    URL.revokeObjectURL(url);
    return;
  }
  parts.sample.dataset.key = key;
  const image = el("img", { src: url, alt: `Sample ${number} of ${id}: source, result and target, one row for each pair` });
  image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
  parts.sample.replaceChildren(el("div", { class: "mat" }, image));
}

function sampleChoice(numbers) {
  const choices = [["latest", "Latest"], ...numbers.toReversed().map((number) => [String(number), `Epoch ${number}`])];
  fill(parts.samples, choices, sample);
  parts.samplesField.hidden = numbers.length < 2;
}

function figures(details) {
  const { losses, validation } = charts(details.map((each) => ({ ...each, name: nameOf(each.id) })));
  const part = (title, nodes) => (nodes.length ? [el("h3", {}, title), el("div", { class: "charts" }, nodes)] : []);
  const nodes = [...part("Training", losses), ...part("Validation", validation)];
  return nodes.length ? nodes : [el("p", { class: "fine" }, "Nothing has been measured yet.")];
}

/** Offer the other trainings to compare with. */
function otherChoice(runs) {
  const others = runs.filter((run) => run.id !== chosen && !run.reason).map((run) => [run.id, nameOf(run.id)]);
  if (!others.some(([id]) => id === other)) other = "";
  fill(parts.other, [["", "Nothing"], ...others], other);
  parts.otherField.hidden = others.length === 0 || runs.some((run) => run.id === chosen && run.reason);
}

function choose(id) {
  [chosen, sample] = [id, "latest"];
  delete parts.sample.dataset.key;
  delete parts.detail.dataset.shown;
  for (const part of [parts.charts, parts.settings, parts.sample]) part.replaceChildren();
  refresh();
}

async function refresh() {
  clearTimeout(timer);
  if (!visible || !server.runs) return;
  try {
    const runs = await getJson("v1/runs");
    if (!runs.some((run) => run.id === chosen)) chosen = (runs.find((run) => run.state === "running") ?? runs.find((run) => !run.reason) ?? runs[0])?.id ?? null;
    list(runs);
    otherChoice(runs);
    parts.detail.hidden = chosen === null;
    parts.empty.hidden = runs.length > 0;
    if (chosen !== null) await showDetail(chosen);
    parts.error.replaceChildren();
  } catch (error) {
    const box = errorBox(error);
    // an alert that stays is read out once, not every few seconds
    if (parts.error.textContent !== box.textContent) parts.error.replaceChildren(box);
    if (error.status === 401) return; // it asks for the token again when the view is shown again
  }
  clearTimeout(timer);
  if (visible && !document.hidden) timer = setTimeout(refresh, EVERY);
}

async function showDetail(id) {
  parts.title.textContent = nameOf(id);  // at once, as an empty heading would confuse screen readers
  const asked = [id, other].filter(Boolean);
  const details = await Promise.all(asked.map((each) => getJson(`v1/runs/${encoded(each)}`)));
  const [detail] = details;
  const text = JSON.stringify(details);
  if (id !== chosen) return;
  if (text !== parts.detail.dataset.shown) {
    parts.detail.dataset.shown = text;
    const open = parts.settings.querySelector("details")?.open ?? false;
    parts.charts.replaceChildren(...(detail.reason ? [el("p", {}, `This training cannot be read: ${reasonOf(detail)}.`)] : figures(details)));
    parts.settings.replaceChildren(settings(detail.config));
    parts.settings.querySelector("details").open = open;
    parts.settings.hidden = Boolean(detail.reason);
  }
  sampleChoice(detail.samples);
  await showSample(id, detail.samples);
}

function build() {
  parts.list = el("ul", { class: "run-list", "aria-label": "Trainings" });
  parts.title = el("h2", {});
  parts.charts = el("div", {});
  parts.settings = el("div", {});
  parts.sample = el("div", { class: "sample" });
  parts.samples = el("select", { id: "runs-sample" });
  parts.samples.addEventListener("change", () => {
    sample = parts.samples.value;
    refresh();
  });
  parts.samplesField = field("Show", parts.samples);
  parts.other = el("select", { id: "runs-other" });
  parts.other.addEventListener("change", () => {
    other = parts.other.value;
    refresh();
  });
  parts.otherField = field("Compare with", parts.other);
  parts.error = el("div", {});
  parts.empty = el("p", { hidden: true }, "This folder has no trainings yet. They appear here as soon as they start.");
  parts.detail = el("div", { class: "run-detail", hidden: true }, parts.title, parts.otherField, parts.charts, el("h3", {}, "Samples"), parts.samplesField, parts.sample, parts.settings);
  byId("runs-body").replaceChildren(parts.error, parts.empty, el("div", { class: "runs" }, parts.list, parts.detail));
}

function ready() {
  if (server.runs) {
    byId("runs-lede").textContent = "Losses appear every few seconds, samples once they are drawn. Lines are averaged over neighbouring steps.";
    if (!parts.list) build();
    return;
  }
  byId("runs-lede").textContent = "This server has no folder of trainings to watch.";
  byId("runs-body").replaceChildren(el("p", {}, "Start the server with such a folder. The documentation explains how under “Serve”."));
}

/** Build the view; it asks the server only while it is shown. */
export function startRuns() {
  document.addEventListener("visibilitychange", () => !document.hidden && refresh());
  return {
    ready,
    shown: () => {
      visible = true;
      refresh();
    },
    hidden: () => {
      visible = false;
      clearTimeout(timer);
    },
  };
}
