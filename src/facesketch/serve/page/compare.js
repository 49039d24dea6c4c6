// The view where one picture goes through every model and every style that the server offers.

import { example, loadServer, server, translate } from "./api.js";
import { everyStyle, sourceName, styleName, targetName } from "./choices.js";
import { blobOf, button, byId, download, el, errorBox, say, stem } from "./dom.js";
import { intake } from "./intake.js";
import { Queue } from "./queue.js";
import { proportion } from "./slider.js";
import { zip } from "./zip.js";

const parts = {};
const nodes = new Map();
let file = null;
let run = 0;
const queue = new Queue(work, onchange);

const titleOf = ({ model, style }) => (style ? styleName(style) : model.title);
const nameOf = (job) => `${stem(file.name)}-${job.model.id}${job.style ? `-${job.style}` : ""}.png`.replace(/[\\/]+/g, "-");

async function work(job, signal) {
  const began = performance.now();
  // a model that does not look for faces gets the one framed for the others, so that all can be compared
  const picture = job.model.faces ? file : parts.framed;
  const answer = await translate(picture, { direction: job.direction, model: job.model.id, style: job.style, align: job.model.faces }, { signal });
  return { ...answer, seconds: (performance.now() - began) / 1000 };
}

function card(job) {
  const title = titleOf(job);
  if (job.state === "failed") return el("li", { class: "card" }, errorBox(job.error), el("h2", {}, title));
  const done = job.state === "done";
  const image = done ? el("img", { src: job.answer.result, alt: `${targetName(job.direction)}: ${title}` }) : el("p", { class: "working" }, "Drawing");
  const mat = el("div", { class: "mat" }, image);
  if (done) proportion(mat, [job.answer.width, job.answer.height]);
  const save = button("", { symbol: "download", kind: "only-icon quiet", label: `Download: ${title}`, disabled: !done, onclick: () => download(blobOf(job.answer.result), nameOf(job)) });
  const facts = [job.style ? job.model.title : "", done ? `${job.answer.seconds.toFixed(1)} s` : ""].filter(Boolean).join(" · ");
  return el("li", { class: "card" }, mat, el("div", { class: "card-foot" }, el("div", {}, el("h2", {}, title), el("p", { class: "fine" }, facts || "\u00a0")), save));
}

function onchange(job) {
  const node = card(job);
  if (nodes.has(job)) nodes.get(job).replaceWith(node);
  else parts.grid.append(node);
  nodes.set(job, node);
  const { done, failed } = queue.counts;
  const total = queue.jobs.length;
  parts.words.textContent = done + failed < total ? `${done} of ${total} ready` : `${total} results${failed ? `, ${failed} failed` : ""}`;
  parts.save.disabled = done === 0;
  if (!queue.busy) say(`The comparison is complete: ${done} results.`);
}

async function packAll() {
  const done = queue.jobs.filter((job) => job.state === "done");
  const files = done.map((job) => ({ name: nameOf(job), blob: blobOf(job.answer.result) }));
  download(await zip([{ name: `${stem(file.name)}-original.jpg`, blob: blobOf(parts.source) }, ...files]), "facesketch-comparison.zip");
}

function showOriginal(answer) {
  parts.source = answer.source;
  parts.framed = new File([blobOf(answer.source)], "framed.jpg", { type: "image/jpeg" });
  const mat = el("div", { class: "mat" }, el("img", { src: answer.source, alt: `${sourceName(answer.direction)}: ${file.name}` }));
  proportion(mat, [answer.width, answer.height]);
  const node = el("li", { class: "card original" }, mat, el("div", { class: "card-foot" }, el("div", {}, el("h2", {}, `The ${sourceName(answer.direction).toLowerCase()}`), el("p", { class: "fine" }, file.name))));
  parts.grid.replaceChildren(node);
}

/** Let the server choose the direction with its own model, then go through all models that serve it. */
async function compare(picture) {
  const mine = (run += 1);
  queue.clear();
  nodes.clear();
  file = picture;
  parts.intake.classList.add("small");
  parts.head.hidden = true;
  parts.grid.replaceChildren(el("li", { class: "card" }, el("div", { class: "mat" }, el("p", { class: "working" }, "Reading the picture"))));
  try {
    const answer = await translate(picture);
    if (mine !== run) return;
    parts.head.hidden = false;
    showOriginal(answer);
    if (!server.models.length) await loadServer();
    if (mine !== run) return;
    for (const { model, style } of everyStyle(answer.direction)) queue.add({ model, style, direction: answer.direction });
  } catch (error) {
    if (mine === run) parts.grid.replaceChildren(el("li", { class: "card wide" }, errorBox(error, button("Try again", { onclick: () => compare(picture) }))));
  }
}

/** Build the view. */
export function startCompare() {
  const receive = ([picture]) => compare(picture);
  parts.intake = el("div", { class: "intake" });
  intake(parts.intake, { words: "Drop one face", onFiles: receive });
  const start = button("Compare the example", {
    id: "compare-example",
    onclick: async () => {
      const mine = (run += 1);
      try {
        const file = await example();
        if (mine === run) await compare(file);
      } catch (error) {
        if (mine === run) parts.grid.replaceChildren(el("li", { class: "card wide" }, errorBox(error)));
      }
    },
  });
  parts.intake.querySelector(".row").append(start);
  parts.words = el("p", { class: "fine" });
  parts.save = button("Download all as a zip", { symbol: "download", onclick: packAll });
  parts.head = el("div", { class: "compare-head", hidden: true }, parts.words, parts.save);
  parts.grid = el("ul", { class: "grid", id: "compare-grid" });
  byId("compare-body").replaceChildren(parts.intake, parts.head, parts.grid);
  return { receive };
}
