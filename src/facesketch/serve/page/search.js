// The view that searches a gallery for the person in a sketch: the hits, their chances, and the warning.

import { pictureUrl, searchGallery, server } from "./api.js";
import { button, byId, el, errorBox, field, fill, icon, percent, say } from "./dom.js";
import { intake } from "./intake.js";
import { latest } from "./latest.js";

const ROUTES = [
  ["fused", "All routes combined"],
  ["direct", "The sketch as it is"],
  ["to-photo", "A photo made from the sketch"],
  ["to-sketch", "Sketches made from the photos"],
];
const parts = {};
let probe = null;
let begun = 0;
let search = () => {};

function bar(value, kind) {
  const line = el("span", { class: `share ${kind}`, "aria-hidden": "true" }, el("span", {}));
  line.firstChild.style.setProperty("width", `${Math.max(0.5, 100 * value)}%`);
  return line;
}

/** A hit as a card; its picture is fetched with the token, if there is one. */
function card(hit, ids) {
  const name = hit.label || hit.person;
  const image = el("img", { alt: `Photo of ${name} in the gallery`, width: 160, height: 200 });
  pictureUrl(hit.picture).then(
    (url) => {
      image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
      image.src = url;
    },
    () => image.replaceWith(el("p", { class: "blank-photo" }, "The picture cannot be shown.")),
  );
  const told = hit.chance !== null;
  const facts = el(
    "dl",
    {},
    told ? el("div", {}, el("dt", {}, "Chance"), el("dd", { class: "chance" }, percent(hit.chance))) : "",
    el("div", {}, el("dt", {}, "Score"), el("dd", {}, hit.score.toFixed(3))),
  );
  const person = ids ? el("p", { class: "fine" }, hit.person) : null;
  return el("li", { class: "hit" }, el("div", { class: "mat" }, image, el("span", { class: "place" }, el("span", { class: "visually-hidden" }, "Place "), String(hit.place))), el("h3", {}, name), person, told ? bar(hit.chance, "one") : "", facts);
}

/** The three cases and their chances, which add up to one; nothing if the server gives none. */
function chances(answer) {
  if (answer.absent === null) return "";
  const among = Math.max(0, 1 - answer.absent - answer.elsewhere);
  const rows = [
    ["One of these hits", among, "one"],
    ["Another person in the gallery", answer.elsewhere, "two"],
    ["Not in the gallery", answer.absent, "three"],
  ];
  return el("dl", { class: "chances" }, rows.map(([words, value, kind]) => el("div", {}, el("dt", {}, words), el("dd", {}, bar(value, kind), el("span", {}, percent(value))))));
}

function probeFigures(answer) {
  const one = (url, words) => el("figure", {}, el("div", { class: "mat" }, el("img", { src: url, alt: words })), el("figcaption", {}, words));
  const [{ framed, translated }] = answer.probes;
  const words = translated ? "Your sketch, framed for the search" : "Your photo, framed for the search";
  return el("div", { class: "probe" }, one(framed, words), translated ? one(translated, "The photo that a model made from it") : "");
}

function show(answer) {
  const lead = el("p", { class: "lead-box" }, icon("alert"), el("span", {}, answer.lead));
  const of = el("p", { class: "fine" }, `${answer.hits.length} of ${answer.size.toLocaleString("en-GB")} photos · ${ROUTES.find(([value]) => value === answer.route)?.[1] ?? answer.route}`);
  const head = el("div", { class: "answer" }, probeFigures(answer), el("div", { class: "answer-words" }, el("h2", { class: "verdict" }, answer.verdict.replaceAll(" %", "\u00a0%")), lead, chances(answer)));
  const ids = answer.hits.some((hit) => hit.label && hit.label !== hit.person);
  const notice = answer.notice ? el("p", { class: "notice" }, answer.notice) : null;
  parts.result.replaceChildren(head, notice ?? "", of, el("ol", { class: "hits" }, answer.hits.map((hit) => card(hit, ids))));
  say(answer.verdict);
}

/** Search with the current choices; of overlapping searches, only the latest is shown. */
async function run() {
  const file = probe;
  if (!file) return;
  const number = (begun += 1);
  parts.result.setAttribute("aria-busy", "true");
  parts.result.classList.add("at-work");
  if (!parts.result.childElementCount) parts.result.replaceChildren(el("p", { class: "working" }, "Searching"));
  const values = { top: parts.top.value, route: parts.route.value, prior: Number(parts.prior.value) / 100, face: parts.face.value };
  try {
    const answer = await searchGallery(file, values);
    if (number === begun) show(answer);
  } catch (error) {
    if (number !== begun) return;
    parts.result.replaceChildren(errorBox(error, button("Try again", { onclick: search })));
    if (error.field === "face") parts.faceField.hidden = false;
  }
  if (number !== begun) return;
  parts.result.classList.remove("at-work");
  parts.result.setAttribute("aria-busy", "false");
}

function receive([file]) {
  if (!server.gallery) return;
  probe = file;
  parts.face.value = "";
  parts.faceField.hidden = true;
  parts.head.classList.add("small");
  parts.intakeNode.classList.add("small");
  parts.result.replaceChildren();
  run();
}

function priorField() {
  parts.prior = el("input", { type: "range", min: 1, max: 99, step: 1, value: 50 });
  const node = field("Before you search: how likely is the person to be in this gallery?", parts.prior);
  const value = el("output", { for: parts.prior.id }, "50 %");
  node.append(value);
  parts.prior.addEventListener("input", () => {
    value.textContent = `${parts.prior.value} %`;
    parts.prior.setAttribute("aria-valuetext", value.textContent);
    search();
  });
  return node;
}

function build() {
  parts.route = el("select", { id: "search-route" });
  fill(parts.route, ROUTES, "fused");
  parts.top = el("select", { id: "search-top" });
  fill(parts.top, ["5", "10", "20", "50"].map((count) => [count, count]), "10");
  parts.face = el("select", { id: "search-face" });
  fill(parts.face, [["", "The only one"], ["1", "1, the largest"], ["2", "2"], ["3", "3"], ["4", "4"], ["5", "5"]], "");
  parts.faceField = field("Face", parts.face);
  parts.faceField.hidden = true;
  for (const control of [parts.route, parts.top, parts.face]) control.addEventListener("change", () => search());
  parts.intakeNode = el("div", { class: "intake" });
  intake(parts.intakeNode, { words: "Drop a sketch of a face", onFiles: receive });
  parts.result = el("div", { class: "search-result", id: "search-result" });
  const settings = el("div", { class: "search-settings" }, field("What to compare", parts.route), field("Hits", parts.top), parts.faceField, priorField());
  parts.head = el("div", { class: "search-head" }, parts.intakeNode, settings);
  byId("search-body").replaceChildren(parts.head, parts.result);
}

const missing = () => {
  byId("search-lede").textContent = "This server has no gallery to search.";
  byId("search-body").replaceChildren(el("p", {}, "Make a gallery of photos and start the server with it. The documentation explains how under “Search” and “Serve”."));
};

function ready() {
  if (!server.gallery) {
    missing();
    return;
  }
  const { count, people } = server.gallery;
  const of = people && people !== count ? ` of ${people.toLocaleString("en-GB")} people` : "";
  byId("search-lede").textContent = `The gallery holds ${count.toLocaleString("en-GB")} photos${of}. The hits are the most similar photos, whether or not the person is among them.`;
  if (!parts.result) build();
}

/** Build the view. */
export function startSearch() {
  search = latest(run, { quiet: 300, most: 1500 });
  return { ready, receive };
}
