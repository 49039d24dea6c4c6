// The choices for a translation: direction, model, style. The lists come from the server, their words from here.

import { server } from "./api.js";
import { el, field, fill, segments } from "./dom.js";

const STYLES = { cuhk: "Soft pencil", "fs2k-0": "Outlines", "fs2k-1": "Ink", "fs2k-2": "Shaded" };
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

/** The styles that a direction and a model leave to choose from. */
function stylesFor(direction, id) {
  const model = id ? server.models.find((each) => each.id === id) : defaultModel(direction);
  return model?.styles ?? [];
}

/** Every model in every style, for a comparison. */
export function everyStyle(direction) {
  return modelsFor(direction).flatMap((model) => {
    const styles = model.styles.length ? model.styles : [null];
    return styles.map((style) => ({ model, style }));
  });
}

/** The controls of a translation; `onchange` gets {direction, model, style, align} whenever one changes. */
export function choices(name, onchange) {
  const values = { direction: "", model: "", style: "", align: true };
  const model = el("select", {});
  const style = el("select", {});
  const align = el("input", { type: "checkbox", checked: true, id: `${name}-align` });
  const styleField = field("Style of the sketch", style);
  const refresh = () => {
    const own = [["", "The server’s own"]];
    fill(model, own.concat(modelsFor(values.direction).map((each) => [each.id, each.title])), values.model);
    const styles = stylesFor(values.direction, model.value);
    fill(style, styles.map((each) => [each, styleName(each)]), values.style);
    styleField.hidden = styles.length < 2;
    Object.assign(values, { model: model.value, style: styles.length ? style.value : "", align: align.checked });
  };
  const changed = () => {
    Object.assign(values, { model: model.value, style: style.value, align: align.checked });
    refresh();
    onchange({ ...values });
  };
  const directions = [["", "Automatic"], ["photo2sketch", "To sketch"], ["sketch2photo", "To photo"]];
  const direction = segments("Direction", `${name}-direction`, directions, "", (value) => {
    values.direction = value;
    changed();
  });
  for (const control of [model, style, align]) control.addEventListener("change", changed);
  const check = el("label", { class: "check", for: align.id }, align, el("span", {}, "Find the face and level it"));
  refresh();
  return { node: el("div", { class: "choices" }, direction, field("Model", model), styleField, check), values, refresh };
}
