// One face drawn several times side by side, as buttons that each choose one of the pictures.

import { translate } from "./api.js";
import { blobOf, el } from "./dom.js";

/** `choose(value)` is called when a picture is clicked. */
export function looks(legend, choose) {
  const row = el("div", { class: "looks" });
  const node = el("fieldset", {}, el("legend", {}, legend), row);
  let drawn = "";
  let drawing = null;

  /** Offer [[value, words], …], with one of them chosen. */
  function offer(options, chosen) {
    if (options.join() !== row.dataset.options) {
      row.dataset.options = options.join();
      drawn = "";
      row.replaceChildren(
        ...options.map(([value, words]) =>
          el("button", { type: "button", class: "look", value, onclick: () => choose(value) }, el("span", { class: "blank" }), el("span", {}, words)),
        ),
      );
    }
    for (const each of row.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each.value === chosen));
  }

  /** Draw a framed face in each; `fields(value)` are those of the request. */
  async function draw(source, fields) {
    const buttons = [...row.querySelectorAll("button")];
    const asked = JSON.stringify([source, buttons.map((each) => fields(each.value))]);
    if (asked === drawn) return;
    drawn = asked;
    drawing?.abort(new DOMException("another face", "AbortError"));
    drawing = new AbortController();
    const { signal } = drawing;
    try {
      const face = blobOf(source);
      for (const each of buttons) {
        const { result } = await translate(new File([face], "face.jpg"), { align: false, ...fields(each.value) }, { signal });
        each.firstChild.replaceWith(el("img", { src: result, alt: "" }));
      }
    } catch {
      if (drawn === asked) drawn = ""; // the words are enough to choose by, and the next result tries again
    }
  }

  return { node, offer, draw };
}
