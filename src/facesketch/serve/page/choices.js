// The choices for a translation: direction, model, style, colours. The lists come from the server, their words from here.

import { server } from "./api.js";
import { el, field, fill, segments } from "./dom.js";
import { looks } from "./looks.js";
import { palette } from "./palette.js";

const STYLES = { cuhk: "Soft pencil", "fs2k-0": "Outlines", "fs2k-1": "Ink", "fs2k-2": "Shaded", natural: "Natural" };
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
  const align = el("input", { type: "checkbox", checked: true, id: `${name}-align` });
  const styles = looks("Style of the sketch", (style) => {
    chosen.style = style;
    changed();
  });
  const colours = palette(name, () => changed());
  let answer = null;
  const refresh = () => {
    const own = [["", "The server’s own"]];
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
  };
  const changed = () => {
    refresh();
    onchange();
  };
  const directions = [["", "Automatic"], ["photo2sketch", "To sketch"], ["sketch2photo", "To photo"]];
  const direction = segments("Direction", `${name}-direction`, directions, "", (value) => {
    chosen.direction = value;
    changed();
  });
  for (const control of [model, align]) control.addEventListener("change", changed);
  const check = el("label", { class: "check", for: align.id }, align, el("span", {}, "Find the face and level it"));
  const fields = () => ({ ...chosen, model: model.value, ...colours.values() });

  /** Fit the choices to an answer, and show its face in each style and tone. */
  function answered(given) {
    answer = given;
    refresh();
    const { direction, source } = answer;
    const own = { ...chosen, model: model.value, direction };
    if (!styles.node.hidden) styles.draw(source, (style) => ({ ...own, ...(direction === "sketch2photo" && colours.values()), style }));
    if (!colours.node.hidden) colours.drawn(source, own);
  }

  refresh();
  const node = el("div", { class: "choices" }, direction, field("Model", model), styles.node, colours.node, check);
  return { node, fields, answered, refresh, get align() { return align.checked; } };
}
