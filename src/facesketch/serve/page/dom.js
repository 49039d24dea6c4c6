// Small tools for building the page: elements, icons, announcements, pictures in memory.

const SVG = "http://www.w3.org/2000/svg";

/** @returns {any} */
export const byId = (id) => document.getElementById(id);

/** Make an element: `el("button", {class: "primary", onclick: f}, "Download")`. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "hidden" || name === "disabled" || name === "checked") node[name] = Boolean(value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Make an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Return one of our icons; it is decoration and needs words beside it or in a label. */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true", focusable: "false" }, svg("use", { href: `page/icons.svg#${name}` }));
}

/**
 * A button with an icon and words; `label` names one without words.
 * @param {string} words
 * @param {{symbol?: string, kind?: string, onclick?: () => void, label?: string, id?: string, disabled?: boolean, shortcut?: string}} options
 */
export function button(words, { symbol, kind = "", onclick, label, id, disabled, shortcut } = {}) {
  const inside = [symbol ? icon(symbol) : null, words ? el("span", {}, words) : null];
  const props = { type: "button", class: kind, onclick, id, disabled, "aria-label": label, title: label && !words ? label : null };
  return el("button", { ...props, "aria-keyshortcuts": shortcut }, ...inside);
}

let count = 0;

/** A labelled control: the label above, the control below, and a line of explanation if there is one. */
export function field(label, control, explanation = "") {
  control.id ||= `field-${(count += 1)}`;
  const more = explanation ? el("p", { class: "fine", id: `${control.id}-more` }, explanation) : null;
  if (more) control.setAttribute("aria-describedby", more.id);
  return el("div", { class: "field" }, el("label", { for: control.id }, label), control, more);
}

/** Radio buttons that look like one bar; `onchange` gets the value. */
export function segments(legend, name, choices, chosen, onchange) {
  const inputs = choices.map(([value, words]) => {
    const input = el("input", { type: "radio", name, value, checked: value === chosen, onchange: () => onchange(value) });
    return el("label", {}, input, el("span", {}, words));
  });
  return el("fieldset", { class: "segments" }, el("legend", {}, legend), el("div", { class: "bar" }, ...inputs));
}

/** Offer options in a select, the first one unless another is chosen; equal options stay, as the list may be open. */
export function fill(select, choices, chosen = "") {
  const shown = choices.map(([value, words]) => `${value}: ${words}`).join();
  if (select.dataset.shown !== shown) select.replaceChildren(...choices.map(([value, words]) => el("option", { value }, words)));
  select.dataset.shown = shown;
  select.value = choices.some(([value]) => value === chosen) ? chosen : (choices[0]?.[0] ?? "");
}

let clearing = 0;

/** Tell a screen reader what happened. */
export function say(words) {
  const region = byId("status");
  region.textContent = "";
  clearTimeout(clearing);
  clearing = setTimeout(() => {
    region.textContent = words;
  }, 60);
}

/** A box for what went wrong, with what to do about it. */
export function errorBox(error, ...actions) {
  const hint = error.hint ? el("p", { class: "hint" }, error.hint) : null;
  const row = actions.length ? el("div", { class: "row" }, ...actions) : null;
  return el("div", { class: "error-box", role: "alert" }, icon("alert"), el("div", {}, el("p", {}, error.message), hint, row));
}

/** Turn `data:image/png;base64,…` into a Blob, without a request. */
export function blobOf(dataUrl) {
  const [head, body] = dataUrl.split(",", 2);
  const text = atob(body);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: /data:([^;]+)/.exec(head)?.[1] ?? "image/png" });
}

/** Save a Blob under a name. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 30_000);
}

/** The file's name without its ending, fit to be part of a name. */
// eslint-disable-next-line no-control-regex
export const stem = (name) => name.replace(/\.[^.]*$/, "").replace(/[\\/:*?"<>|\u0000-\u001f]+/g, "-") || "picture";

/** Copy a picture to the clipboard; throws an error in plain words if the browser forbids it. */
export async function copyPicture(blob) {
  if (!navigator.clipboard?.write || !window.ClipboardItem) {
    const hint = "Use Download, or open the page over https or on the computer that runs the server.";
    throw Object.assign(new Error("The browser does not allow copying pictures here."), { hint });
  }
  await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
}

/** Read a picture into an image element that is ready to be drawn. */
export async function loadImage(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

/** A canvas as a PNG. */
export const pngOf = (canvas) => new Promise((resolve) => canvas.toBlob(resolve, "image/png"));

/** A chance in words, never as a certainty. */
export function percent(value) {
  const rounded = value < 0.01 ? "below 1" : value > 0.99 ? "above 99" : Math.round(100 * value);
  return `${rounded}\u00a0%`;
}
