// The view that translates pictures: one beside its result, or many at once.

import { example, translate } from "./api.js";
import { choices, sourceName, styleName, targetName } from "./choices.js";
import { blobOf, button, byId, copyPicture, download, el, errorBox, field, fill, loadImage, pngOf, say, segments, stem } from "./dom.js";
import { films } from "./films.js";
import { intake } from "./intake.js";
import { Queue } from "./queue.js";
import { pair, proportion, slider } from "./slider.js";

const RESULT = { photo2sketch: "sketch", sketch2photo: "photo" };
const view = { current: null, shown: "slider", split: 50 };
let asked = null;
let strip = null;
let headline = null;
let actions = null;
let faceField = null;
let faceSelect = null;
let everyFace = null;

const queue = new Queue(work, onchange);

/** What a result is saved as. */
const resultName = (job) => `${stem(job.name)}-${RESULT[job.answer.direction]}.png`;

function work(job, signal) {
  const fields = job.asIs ? { ...asked.fields(), margin: null, whole: null, size: null, align: false } : asked.fields();
  const began = performance.now();
  const onWait = (seconds) => {
    job.note = `The server is busy; trying again in ${Math.ceil(seconds)} s`;
    say(job.note);
    if (job === view.current) show(job);
  };
  const options = { signal, onWait };
  return translate(job.file, { ...fields, face: fields.align === false ? null : job.face }, options).then((answer) => ({
    ...answer,
    seconds: (performance.now() - began) / 1000,
  }));
}

function onchange(job) {
  if (job === view.current) show(job);
  strip.update(queue, view.current);
  if (!queue.busy && view.current?.state === "done") asked.answered(view.current.answer);
  if (queue.busy || !["done", "failed"].includes(job.state)) return;
  const { done, failed } = queue.counts;
  if (queue.jobs.length > 1) say(`All pictures are done: ${done} translated, ${failed} failed.`);
  else if (done) say(`Ready: a ${RESULT[job.answer.direction]} made from ${job.name}.`);
}

function add(files) {
  const first = queue.jobs.length;
  for (const file of files) queue.add({ file, name: file.name || "picture.png", preview: URL.createObjectURL(file) });
  byId("translate-welcome").hidden = true;
  byId("translate-work").hidden = false;
  byId("translate").classList.add("at-work");
  select(queue.jobs[first]);
}

function select(job) {
  view.current = job;
  show(job);
  strip.update(queue, job);
  if (!queue.busy && job.state === "done") asked.answered(job.answer);
}

function clear() {
  for (const job of queue.jobs) URL.revokeObjectURL(job.preview);
  queue.clear();
  view.current = null;
  strip.update(queue, null);
  byId("stage").replaceChildren();
  byId("translate-welcome").hidden = false;
  byId("translate-work").hidden = true;
  byId("translate").classList.remove("at-work");
  byId("translate-title").focus();
}

/** Let one new file replace a single picture; add files to several pictures. */
function receive(files) {
  if (queue.jobs.length === 1 && files.length === 1) {
    URL.revokeObjectURL(queue.jobs[0].preview);
    queue.clear();
  }
  add(files);
}

function sides(job) {
  const { direction, source, result } = job.answer;
  const before = { url: source, label: sourceName(direction), alt: `${sourceName(direction)}: ${job.name}` };
  const after = { url: result, label: targetName(direction), alt: `${targetName(direction)} made from ${job.name}` };
  return [before, after, [job.answer.width, job.answer.height]];
}

function picture(job) {
  if (view.shown === "pair") return pair(...sides(job));
  const node = slider(...sides(job), view.split);
  node.querySelector("input").addEventListener("input", (event) => {
    view.split = Number(event.target.value);
  });
  return node;
}

function waitingPicture(job) {
  const image = el("img", { src: job.preview, alt: `Your picture: ${job.name}`, onerror: () => image.remove() });
  image.addEventListener("load", () => proportion(frame, [image.naturalWidth, image.naturalHeight]));
  const words = el("p", { class: "working" }, job.state === "waiting" ? "Waiting for its turn" : (job.note ?? "Drawing"));
  const frame = el("div", { class: "slider waiting" }, image, words);
  return frame;
}

function failure(job) {
  const again = button("Try again", { onclick: () => queue.restart(job) });
  const asIs = button("Use the picture as it is", {
    onclick: () => {
      job.asIs = true;
      queue.restart(job);
    },
  });
  return errorBox(job.error, job.error.field === "align" ? asIs : again);
}

function show(job) {
  byId("copied").textContent = "";
  const done = job.state === "done";
  const stage = byId("stage");
  stage.setAttribute("aria-busy", String(job.state === "working" || job.state === "waiting"));
  if (done) stage.replaceChildren(picture(job));
  else stage.replaceChildren(job.state === "failed" ? failure(job) : waitingPicture(job));
  const title = done ? `${targetName(job.answer.direction)} from a ${sourceName(job.answer.direction).toLowerCase()}` : job.name;
  const style = done && job.answer.style ? ` · ${styleName(job.answer.style)}` : "";
  const facts = done ? `${job.name}${style} · ${job.answer.seconds.toFixed(1)} s` : { failed: "Not translated", waiting: "Waiting" }[job.state] ?? "In progress";
  headline.replaceChildren(el("h2", {}, title), el("p", { class: "fine" }, facts));
  if (done && job.answer.notice) headline.append(el("p", { class: "notice" }, job.answer.notice));
  for (const control of actions.querySelectorAll("button")) control.disabled = !done;
  // the choice of faces stays while another face is drawn: hiding it would take its focus away
  if (done) job.faces = job.answer.faces;
  const faces = job.faces ?? 0;
  faceField.hidden = faces < 2;
  everyFace.hidden = queue.jobs.filter((each) => each.file === job.file).length >= faces;
  if (faces > 1) fill(faceSelect, Array.from({ length: faces }, (_, index) => [String(index + 1), index ? `${index + 1}` : "1, the largest"]), String(job.face ?? 1));
}

async function copy() {
  const note = byId("copied");
  try {
    await copyPicture(blobOf(view.current.answer.result));
    note.textContent = "Copied.";
  } catch (error) {
    note.textContent = error.hint ? `${error.message} ${error.hint}` : "The browser does not allow copying; use Download.";
  }
  say(note.textContent);
}

/** Hand the result to another program, where the system can. */
async function share() {
  const file = new File([blobOf(view.current.answer.result)], resultName(view.current), { type: "image/png" });
  try {
    await navigator.share({ files: [file] });
  } catch (error) {
    if (error.name !== "AbortError") say((byId("copied").textContent = "Sharing did not work; use Download."));
  }
}

/** Draw the other faces of the picture as well, each as a picture of its own. */
function drawEveryFace() {
  const { file, name, preview, faces, face: drawn = 1 } = view.current;
  for (let face = 1; face <= faces; face += 1) {
    if (face !== drawn) queue.add({ file, name: name.replace(/(\.[^.]*)?$/, ` face ${face}$1`), preview, face, faces });
  }
  everyFace.hidden = true;
}

/** Download original and result side by side in one picture. */
async function downloadBoth() {
  const { name, answer } = view.current;
  const { source, result, width, height } = answer;
  const canvas = el("canvas", { width: 2 * width, height });
  const paint = canvas.getContext("2d");
  for (const [index, url] of [source, result].entries()) paint.drawImage(await loadImage(url), index * width, 0, width, height);
  download(await pngOf(canvas), `${stem(name)}-both.png`);
}

function buildSide() {
  headline = el("div", { class: "headline" });
  const shown = segments("Shown as", "translate-shown", [["slider", "Slider"], ["pair", "Side by side"]], "slider", (value) => {
    view.shown = value;
    if (view.current?.state === "done") show(view.current);
  });
  const save = () => download(blobOf(view.current.answer.result), resultName(view.current));
  actions = el(
    "div",
    { class: "row actions" },
    button("Download", { symbol: "download", kind: "primary", onclick: save, id: "save" }),
    button("Copy", { symbol: "copy", onclick: copy, id: "copy" }),
    button("Both", { onclick: downloadBoth, id: "save-both", label: "Both: download original and result in one picture" }),
    navigator.canShare?.({ files: [new File([], "a.png", { type: "image/png" })] }) ? button("Share", { onclick: share, id: "share" }) : null,
    button("Print", { onclick: () => print(), id: "print" }),
  );
  faceSelect = el("select", { id: "translate-face" });
  faceSelect.addEventListener("change", () => {
    view.current.face = Number(faceSelect.value);
    queue.restart(view.current);
  });
  faceField = field("Face", faceSelect);
  everyFace = button("Draw every face", { onclick: drawEveryFace, id: "every-face" });
  faceField.append(everyFace);
  asked = choices("translate", () => queue.jobs.forEach((job) => queue.restart(job)));
  const more = el("div", { class: "intake" });
  intake(more, { several: true, compact: true, onFiles: receive });
  const next = el("div", { class: "next" }, el("h3", {}, "Other pictures"), more, button("Start over", { kind: "quiet", onclick: clear, id: "start-over" }));
  const note = el("p", { class: "fine", id: "copied" });
  byId("translate-side").replaceChildren(headline, actions, note, shown, asked.node, faceField, next);
}

async function tryExample() {
  byId("example-start").nextElementSibling?.remove();
  try {
    const file = await example();
    if (!queue.jobs.length) add([file]); // the user may have given a picture meanwhile
  } catch (error) {
    byId("example-start").after(errorBox(error));
  }
}

/** Build the view; returns what the page calls when the server is known and when pictures are dropped or pasted. */
export function startTranslate() {
  buildSide();
  strip = films(byId("films"), { select, resultName });
  intake(byId("translate-intake"), { several: true, words: "Drop one face or many", onFiles: receive });
  byId("example-start").addEventListener("click", tryExample);
  return { receive, ready: () => asked.refresh() };
}
