// Two pictures of one size, and a line between them that can be moved: a range input lies over the whole picture.

import { el } from "./dom.js";

/** Compare `before` and `after` ({url, label, alt}); `size` is [width, height] in pixels. */
export function slider(before, after, size, start) {
  const range = el("input", { type: "range", min: 0, max: 100, step: 1, value: start, "aria-label": `How much of the ${before.label.toLowerCase()} is shown` });
  const frame = el(
    "div",
    { class: "slider" },
    el("img", { src: after.url, alt: after.alt, draggable: "false" }),
    el("img", { src: before.url, alt: before.alt, class: "before", draggable: "false" }),
    range,
    el("span", { class: "divider", "aria-hidden": "true" }),
    el("span", { class: "tag left", "aria-hidden": "true" }, before.label),
    el("span", { class: "tag right", "aria-hidden": "true" }, after.label),
  );
  const place = () => {
    const value = Number(range.value);
    frame.style.setProperty("--split", `${value}%`);
    frame.classList.toggle("no-left", value < 14);
    frame.classList.toggle("no-right", value > 86);
    range.setAttribute("aria-valuetext", `${value} % ${before.label.toLowerCase()}, ${100 - value} % ${after.label.toLowerCase()}`);
  };
  range.addEventListener("input", place);
  proportion(frame, size);
  place();
  return frame;
}

/** The same two, side by side. */
export function pair(before, after, size) {
  const halves = [before, after].map(({ url, label, alt }) => el("figure", {}, el("img", { src: url, alt }), el("figcaption", {}, label)));
  const frame = el("div", { class: "pair" }, ...halves);
  proportion(frame, size);
  return frame;
}

/** Tell the style sheet a picture's proportions, so that nothing moves when it has loaded. */
export function proportion(node, [width, height]) {
  node.style.setProperty("--ratio", String(width / height));
  node.style.setProperty("--across", `${width}px`);
}
