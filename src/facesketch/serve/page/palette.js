// The colours that a sketch does not show: swatches of skin, hair and background, and a face in three tones.

import { button, el } from "./dom.js";
import { looks } from "./looks.js";

const MONK = ["#f6ede4", "#f3e7db", "#f7ead0", "#eadaba", "#d7bd96", "#a07e56", "#825c43", "#604134", "#3a312a", "#292420"];
const HAIR = [["#1c1a19", "Black"], ["#3a2a21", "Dark brown"], ["#6b4a33", "Brown"], ["#c6a56b", "Blond"], ["#8a4526", "Red"], ["#8e8a86", "Grey"], ["#e2dfda", "White"]];
const BACKGROUND = [["#ffffff", "White"], ["#c9c7c3", "Light grey"], ["#7d7b78", "Grey"], ["#8fb4d0", "Blue"], ["#a3b899", "Green"], ["#b99f84", "Brown"], ["#1d1c1b", "Black"]];
const TONES = [["4", "Light"], ["6", "Medium"], ["8", "Dark"]];
const OFFERED = {
  skin: ["Skin", MONK.map((colour, index) => [String(index + 1), colour, `${index + 1} of 10 on the Monk scale, from light to dark`])],
  hair: ["Hair", HAIR.map(([colour, words]) => [colour, colour, words])],
  background: ["Background", BACKGROUND.map(([colour, words]) => [colour, colour, words])],
};

/** Swatches to choose one from, automatic at first; all but skin also have a field for any colour. */
function swatches(name, part, onchange) {
  const [legend, choices] = OFFERED[part];
  let value = "";
  const choose = (chosen, from) => {
    value = chosen;
    other?.classList.toggle("chosen", from === other);
    for (const each of inputs) each.checked = from !== other && each.value === chosen;
    onchange();
  };
  const dabs = [["", null, "Automatic"], ...choices].map(([each, colour, words]) => {
    const input = el("input", { type: "radio", name: `${name}-${part}`, value: each, checked: !each, "aria-label": words, onchange: () => choose(each) });
    const dab = el("span", { class: "dab", title: words }, colour ? "" : "Auto");
    if (colour) dab.style.setProperty("--dab", colour);
    return el("label", { class: colour ? "swatch" : "swatch auto" }, input, dab);
  });
  const inputs = dabs.map((dab) => dab.querySelector("input"));
  const words = `Another colour for the ${part}`;
  const other = part === "skin" ? null : el("input", { type: "color", value: choices[2][1], "aria-label": words, title: words, onchange: () => choose(other.value, other) });
  const node = el("fieldset", { hidden: true }, el("legend", {}, legend), el("div", { class: "swatches" }, ...dabs, other));
  return { node, choose, get value() { return value; } };
}

/** The colours of a view; `onchange()` is called when one is chosen. */
export function palette(name, onchange) {
  const parts = Object.fromEntries(Object.keys(OFFERED).map((part) => [part, swatches(name, part, onchange)]));
  const tones = looks("The same face in three skin tones", (tone) => parts.skin.choose(tone));
  tones.node.hidden = true;
  let offered = [];
  let last = null;
  const values = () => Object.fromEntries(offered.map((part) => [part, parts[part].value]));
  const draw = () => {
    tones.offer(TONES, parts.skin.value);
    if (last && !tones.node.hidden) tones.draw(last.source, (skin) => ({ ...last.fields, ...values(), skin }));
  };
  const ask = button("Compare three skin tones", {
    onclick: () => {
      tones.node.hidden = false;
      ask.hidden = true;
      draw();
    },
  });
  const node = el("div", { class: "palette" }, parts.skin.node, ask, tones.node, parts.hair.node, parts.background.node);

  /** Offer the colours that a model takes. */
  function offer(taken) {
    offered = taken;
    for (const part of Object.keys(parts)) parts[part].node.hidden = !taken.includes(part);
    node.hidden = taken.length === 0;
    ask.hidden = !taken.includes("skin") || !tones.node.hidden;
    if (!taken.includes("skin")) tones.node.hidden = true;
  }

  /** Take note of a photo that was drawn: its source, and its fields other than the colours. */
  function drawn(source, fields) {
    last = { source, fields };
    draw();
  }

  return { node, values, offer, drawn };
}
