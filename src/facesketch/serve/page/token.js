// Asks for the server's token.

import { button, el, field } from "./dom.js";

/** Ask for a token; returns it, or null when the user closes the dialog. */
export function askForToken(refused) {
  const input = el("input", { type: "password", autocomplete: "off", required: true, name: "token", pattern: "\\s*[!-~]+\\s*", title: "ASCII letters, digits and symbols, without spaces" });
  const words = refused ? "That token was not accepted. Try again." : "The person who started the server chose it.";
  const dialog = el("dialog", { class: "sheet", "aria-labelledby": "token-title" });
  return new Promise((resolve) => {
    const finish = (token) => {
      dialog.close();
      dialog.remove();
      resolve(token);
    };
    const submit = (event) => {
      event.preventDefault();
      finish(input.value.trim());
    };
    const row = el("div", { class: "row" }, el("button", { type: "submit", class: "primary" }, "Continue"), button("Not now", { onclick: () => finish(null) }));
    const form = el("form", { onsubmit: submit }, el("h2", { id: "token-title" }, "This server asks for a token"), field("Token", input, words), row);
    dialog.append(form);
    dialog.addEventListener("cancel", () => finish(null));
    document.body.append(dialog);
    dialog.showModal();
  });
}
