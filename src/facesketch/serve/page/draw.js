// The view for drawing: paper and tools on one side, the photo made from the drawing on the other.

import { example, server, translate } from "./api.js";
import { defaultModel, modelsFor, styleName, stylesOf } from "./choices.js";
import { blobOf, button, byId, download, el, errorBox, field, fill, loadImage, pngOf, say, segments } from "./dom.js";
import { latest } from "./latest.js";
import { palette } from "./palette.js";
import { Paper } from "./paper.js";
import { pen } from "./pen.js";

const [WIDTH, HEIGHT] = [800, 1000];
const SMALLER = 0.5;
const LEAST_INK = 0.01; // share of the paper that would be black; from less, a model makes a mask
const tool = { name: "pencil", size: 7 };
const parts = {};
let paper = null;
let touch = null;
let made = null;
let choice = 0;
let under = "blank"; // the start that is under the drawing

/**
 * Put a face under the drawing, framed by the server: a photo is translated first, a sketch is taken as it is. If
 * another start has been chosen meanwhile, that one stays.
 */
async function startWith(file, kind) {
  const mine = (choice += 1);
  parts.note.replaceChildren(el("p", { class: "fine working" }, kind === "own" ? "Tracing your picture" : "Fetching the example"));
  try {
    const answer = await translate(file, kind === "own" ? {} : { direction: "photo2sketch" });
    const image = await loadImage(answer.direction === "photo2sketch" ? answer.result : answer.source);
    if (mine !== choice) return;
    paper.setStart({ image, box: [0, 0, WIDTH, HEIGHT] });
    parts.start.value = under = kind;
    parts.note.replaceChildren();
    say("The face is under the drawing.");
    changed();
  } catch (error) {
    if (mine !== choice) return;
    parts.start.value = under;
    refreshTools();
    parts.note.replaceChildren(errorBox(error));
  }
}

async function chooseStart() {
  const chosen = parts.start.value;
  parts.note.replaceChildren();
  if (chosen === "blank") {
    choice += 1;
    under = "blank";
    paper.setStart(null);
    changed();
  } else if (chosen === "own") parts.file.click();
  else await startWithExample();
}

async function startWithExample() {
  const mine = (choice += 1);
  try {
    const file = await example();
    if (mine === choice) await startWith(file, "example");
  } catch (error) {
    if (mine !== choice) return;
    parts.start.value = under;
    refreshTools();
    parts.note.replaceChildren(errorBox(error));
  }
}

/** The drawing as the model gets it, and how much ink it has. */
async function drawing() {
  const small = el("canvas", { width: WIDTH * SMALLER, height: HEIGHT * SMALLER });
  const paint = small.getContext("2d");
  paint.drawImage(paper.canvas, 0, 0, small.width, small.height);
  const { data } = paint.getImageData(0, 0, small.width, small.height);
  let light = 0;
  for (let place = 0; place < data.length; place += 4) light += data[place];
  const file = new File([await pngOf(small)], "drawing.png", { type: "image/png" });
  return { file, ink: 1 - light / (255 * small.width * small.height) };
}

/** What to do if there is too little on the paper. */
function hintForMore() {
  const under = paper.start ? " Draw more, or raise the strength of the face under the drawing." : "";
  return `The photo appears once the paper shows enough of a face.${under}`;
}

/** Ask for the photo of what is on the paper now. */
async function develop() {
  const { file, ink } = await drawing();
  if (ink < LEAST_INK) {
    parts.blank.textContent = hintForMore();
    parts.error.replaceChildren();
    showPhoto(null);
    return;
  }
  parts.figure.classList.add("at-work");
  parts.figure.setAttribute("aria-busy", "true");
  const began = performance.now();
  try {
    const fields = { direction: "sketch2photo", model: parts.model.value, style: parts.style.value };
    const answer = await translate(file, { ...fields, ...parts.colours.values(), align: false });
    showPhoto(answer.result, (performance.now() - began) / 1000);
    parts.colours.drawn(answer.source, fields);
    parts.error.replaceChildren();
  } catch (error) {
    parts.error.replaceChildren(errorBox(error, button("Try again", { onclick: () => touch() })));
  }
  parts.figure.classList.remove("at-work");
  parts.figure.setAttribute("aria-busy", "false");
}

function showPhoto(url, seconds) {
  made = url;
  parts.photo.hidden = !url;
  parts.blank.hidden = Boolean(url);
  if (url) parts.photo.src = url;
  parts.caption.textContent = url ? `Made from the drawing in ${seconds.toFixed(1)} s; not a photo of a real person` : "";
  for (const control of parts.photoActions.querySelectorAll("button")) control.disabled = !url;
}

function refreshTools() {
  parts.opacity.disabled = !paper.start;
  parts.hint.hidden = parts.start.value !== "blank" || !paper.empty || Boolean(paper.stroke);
  parts.undo.disabled = paper.strokes.length === 0;
  parts.redo.disabled = paper.undone.length === 0;
  parts.clear.disabled = paper.empty;
}

function changed() {
  refreshTools();
  touch();
}

const act = (name) => () => {
  paper[name]();
  changed();
};

function toolbar() {
  const size = el("input", { type: "range", min: 2, max: 30, step: 1, value: tool.size, id: "draw-size" });
  size.addEventListener("input", () => {
    tool.size = Number(size.value);
  });
  const tools = segments("Tool", "draw-tool", [["pencil", "Pencil"], ["eraser", "Eraser"]], "pencil", (name) => {
    tool.name = name;
  });
  parts.undo = button("", { symbol: "undo", kind: "only-icon", label: "Undo", onclick: act("undo"), shortcut: "Control+Z" });
  parts.redo = button("", { symbol: "redo", kind: "only-icon", label: "Redo", onclick: act("redo"), shortcut: "Control+Shift+Z" });
  parts.clear = button("", { symbol: "clear", kind: "only-icon", label: "Clear all strokes", onclick: act("clear") });
  return el("div", { class: "tools" }, tools, field("Width", size), el("div", { class: "row tight" }, parts.undo, parts.redo, parts.clear));
}

function startChoices() {
  parts.start = el("select", { id: "draw-start" });
  fill(parts.start, [["example", "An astronaut"], ["own", "My own picture …"], ["blank", "Blank paper"]], "example");
  parts.start.addEventListener("change", chooseStart);
  parts.file = el("input", { type: "file", accept: "image/*", class: "visually-hidden", tabindex: -1, "aria-label": "Picture to trace" });
  parts.file.addEventListener("change", () => {
    const [file] = parts.file.files;
    parts.file.value = "";
    if (file) startWith(file, "own");
  });
  parts.file.addEventListener("cancel", () => {
    parts.start.value = under;
  });
  const opacity = el("input", { type: "range", min: 0, max: 100, step: 5, value: 70, id: "draw-opacity" });
  opacity.addEventListener("input", () => {
    paper.setOpacity(Number(opacity.value) / 100);
    touch();
  });
  parts.note = el("div", {});
  parts.opacity = opacity;
  return el("div", { class: "starts" }, field("Start from", parts.start), parts.file, field("Its strength", opacity), parts.note);
}

function sheet() {
  const words = "Paper. With a pointer: draw. With keys: arrows move, Shift makes longer steps, space puts the pencil down and lifts it.";
  const canvas = el("canvas", { width: WIDTH, height: HEIGHT, tabindex: 0, role: "application", "aria-label": words, id: "paper" });
  const cross = el("span", { class: "cross", hidden: true, "aria-hidden": "true" });
  parts.hint = el("p", { class: "paper-hint", hidden: true }, "Draw a face from the front, as large as the paper: start with the outline and the hair, then add eyes, nose and mouth.");
  const mat = el("div", { class: "mat paper-mat" }, canvas, cross, parts.hint);
  paper = new Paper(canvas);
  paper.setOpacity(0.7);
  touch = latest(develop);
  pen(canvas, paper, () => tool, changed);
  return mat;
}

function photoFigure(searchFor, goTo) {
  parts.photo = el("img", { alt: "The photo made from the drawing", hidden: true, id: "drawn-photo", width: 400, height: 500 });
  parts.blank = el("p", { class: "blank-photo" }, "The photo appears here.");
  parts.caption = el("figcaption", {});
  parts.figure = el("figure", { class: "developed", "aria-live": "off" }, el("div", { class: "mat photo-mat" }, parts.photo, parts.blank), parts.caption);
  parts.error = el("div", {});
  parts.model = el("select", { id: "draw-model" });
  parts.model.addEventListener("change", chooseModel);
  parts.modelField = field("Model", parts.model);
  parts.style = el("select", { id: "draw-style" });
  parts.style.addEventListener("change", () => touch());
  parts.styleField = field("Look of the photo", parts.style);
  parts.colours = palette("draw", () => touch());
  parts.photoActions = el("div", { class: "row" }, button("Photo", { symbol: "download", kind: "primary", label: "Download the photo", onclick: () => download(blobOf(made), "drawn-photo.png") }));
  parts.search = button("Search with it", { symbol: "search", id: "draw-search" });
  parts.search.addEventListener("click", async () => {
    const { file } = await drawing();
    goTo("search");
    searchFor(file);
  });
  const save = button("Drawing", { symbol: "download", label: "Download the drawing", onclick: async () => download(await pngOf(paper.canvas), "drawing.png") });
  const row = el("div", { class: "row" }, parts.photoActions, save, parts.search);
  return el("div", { class: "photo-column" }, parts.figure, parts.error, parts.colours.node, row, el("div", { class: "starts" }, parts.styleField, parts.modelField));
}

/** Undo and redo, pencil and eraser by key, while the view is shown and no text is being typed. */
function shortcuts(event) {
  if (byId("draw").hidden || event.target.matches?.("select, input[type=text], input[type=password], dialog *")) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    act(key === "y" || event.shiftKey ? "redo" : "undo")();
  } else if (key === "p" || key === "e") {
    /** @type {HTMLInputElement} */
    const input = document.querySelector(`input[name=draw-tool][value=${key === "p" ? "pencil" : "eraser"}]`);
    input.click();
  }
}

/** Offer the styles and the colours of the chosen model. */
function chooseModel() {
  const chosen = server.models.find((model) => model.id === parts.model.value);
  const styles = stylesOf(chosen, "sketch2photo");
  fill(parts.style, styles.map((each) => [each, styleName(each)]));
  parts.styleField.hidden = styles.length < 2;
  parts.colours.offer(chosen?.colours ?? []);
  touch();
}

function ready() {
  const models = modelsFor("sketch2photo");
  fill(parts.model, models.map((model) => [model.id, model.title]), defaultModel("sketch2photo").id);
  parts.modelField.hidden = models.length < 2;
  parts.search.hidden = !server.gallery;
  chooseModel();
}

/** Build the view. */
export function startDraw({ goTo, searchFor }) {
  const paperSide = el("div", { class: "paper-column" }, sheet(), startChoices());
  byId("draw-board").replaceChildren(toolbar(), paperSide, photoFigure(searchFor, goTo));
  refreshTools();
  addEventListener("keydown", shortcuts);
  let begun = false;
  const shown = () => {
    if (begun || !server.health) return;
    begun = true;
    // the user may have given a face before the server answered
    if (!choice) startWithExample();
  };
  return { ready, shown, receive: ([file]) => startWith(file, "own") };
}
