// The choices for a translation: direction, model, style, colours. The lists come from the server, the words for them from here.

import { server } from "./api.js";
import { el, field, fill, segments } from "./dom.js";
import { looks } from "./looks.js";
import { palette } from "./palette.js";

const STYLES = { cuhk: "Soft pencil", "fs2k-0": "Outlines", "fs2k-1": "Ink", "fs2k-2": "Shaded", natural: "Natural" };
const EXTENTS = [
  ["face", "The face", {}],
  ["wide", "The face and more around it", { margin: 0.5 }],
  ["whole", "The whole picture", { whole: true }],
  ["as-is", "The picture as it is, without looking for a face", { align: false }],
];
const TARGETS = { photo2sketch: "Sketch", sketch2photo: "Photo" };
const SOURCES = { photo2sketch: "Photo", sketch2photo: "Sketch" };

export const styleName = (style) => STYLES[style] ?? style;
export const targetName = (direction) => TARGETS[direction] ?? "Result";
export const sourceName = (direction) => SOURCES[direction] ?? "Original";

/** The models that serve a direction; all models without one. */
export function modelsFor(direction) {
  return server.models.filter((model) => !direction || model.directions.includes(direction));
}

/** The model that is used by default for a direction. */
export const defaultModel = (direction) => modelsFor(direction).find((model) => model.default) ?? modelsFor(direction)[0];

/** The styles of a model, none if it has only one. */
export const stylesOf = (model, direction) => model?.styles[direction] ?? [];

/** Every model in every style, for a comparison. */
export function everyStyle(direction) {
  return modelsFor(direction).flatMap((model) => {
    const styles = stylesOf(model, direction);
    return (styles.length ? styles : [null]).map((style) => ({ model, style }));
  });
}

/** The controls of a translation; `onchange()` is called whenever one changes. */
export function choices(name, onchange) {
  const chosen = { direction: "", style: "" };
  const model = el("select", {});
  const extent = el("select", { id: `${name}-extent` });
  const extentField = field("What to draw", extent);
  const size = el("select", { id: `${name}-size` });
  const sizeField = field("Size", size);
  const fine = el("input", { type: "checkbox", id: `${name}-fine` });
  const fineField = el("label", { class: "check", for: fine.id }, fine, el("span", {}, "Finer lines that follow the picture more than the artist"));
  const styles = looks("Style", (style) => {
    chosen.style = style;
    changed();
  });
  const colours = palette(name, () => changed());
  let answer = null;
  const refresh = () => {
    const own = [["", "The server’s default"]];
    fill(model, own.concat(modelsFor(chosen.direction).map((each) => [each.id, each.title])), model.value);
    const used = server.models.find((each) => each.id === model.value) ?? defaultModel(chosen.direction);
    const direction = chosen.direction || answer?.direction;
    const offered = stylesOf(used, chosen.direction || "photo2sketch");
    if (!offered.includes(chosen.style)) chosen.style = offered[0] ?? "";
    styles.offer(offered.map((each) => [each, styleName(each)]), chosen.style);
    // where the picture decides the direction, a style is meant for sketches
    styles.node.hidden = offered.length < 2 || (!chosen.direction && direction === "sketch2photo");
    colours.offer(chosen.direction === "photo2sketch" ? [] : (used?.colours ?? []));
    colours.node.hidden ||= direction !== "sketch2photo";
    // until the server has named its models, let it look for faces, as it does by default
    extentField.hidden = used?.faces === false;
    // a network of one size draws its frame and no more
    fill(extent, EXTENTS.filter(([value]) => used?.native || value === "face" || value === "as-is"), extent.value);
    const sizes = used?.sizes[direction ?? "photo2sketch"] ?? [];
    fill(size, [["", "Automatic"], ...sizes.map((each) => [each, each.replace("x", " × ")])], size.value);
    sizeField.hidden = sizes.length < 2 || extentField.hidden || extent.value !== "face";
    fineField.hidden = !used?.native;
  };
  const changed = () => {
    refresh();
    onchange();
  };
  const directions = [["", "Automatic"], ["photo2sketch", "To sketch"], ["sketch2photo", "To photo"]];
  const direction = segments("Direction", `${name}-direction`, directions, "", (value) => {
    // photos have other styles than sketches
    if ((value === "sketch2photo") !== (chosen.direction === "sketch2photo")) chosen.style = "";
    chosen.direction = value;
    changed();
  });
  for (const control of [model, extent, size, fine]) control.addEventListener("change", changed);
  const drawnWith = () => ({ ...chosen, model: model.value, resolution: fine.checked && !fineField.hidden ? "native" : "" });
  const extents = () => (extentField.hidden ? { align: false } : EXTENTS.find(([value]) => value === extent.value)[2]);
  const fields = () => ({ ...drawnWith(), ...colours.values(), ...extents(), size: sizeField.hidden ? "" : size.value });

  /** Fit the choices to an answer, and show its face in each style and tone. */
  function answered(given) {
    answer = given;
    refresh();
    const { direction, source, style } = answer;
    const own = { ...drawnWith(), direction, style };
    if (!styles.node.hidden) styles.draw(source, (style) => ({ ...own, ...(direction === "sketch2photo" && colours.values()), style }));
    if (!colours.node.hidden) colours.drawn(source, own);
  }

  refresh();
  const node = el("div", { class: "choices" }, direction, field("Model", model), styles.node, colours.node, extentField, sizeField, fineField);
  return { node, fields, answered, refresh };
}
