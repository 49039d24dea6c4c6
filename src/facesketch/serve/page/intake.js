// How pictures come in: chosen, dropped, pasted or photographed. All pictures of a dropped folder are read.

import { photograph } from "./camera.js";
import { button, byId, el, icon, say } from "./dom.js";

const ACCEPT = "image/png,image/jpeg,image/webp,image/avif,image/bmp,image/tiff,image/gif";

/** Keep what may be a picture; the server decides by the content. */
const mayBePicture = (file) => !file.type || file.type.startsWith("image/");

/** Read an entry of a drop: a file, or all files of a folder. */
async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    for (const each of some) found.push(...(await filesOf(each)));
  }
  return found.filter((file) => file.type.startsWith("image/")).sort((one, other) => one.name.localeCompare(other.name));
}

async function dropped(transfer) {
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.());
  if (!entries.some((entry) => entry?.isDirectory)) return [...transfer.files];
  return (await Promise.all(entries.filter(Boolean).map(filesOf))).flat();
}

/** Send what is dropped or pasted anywhere on the page to `receive`. */
export function watchPage(receive) {
  const veil = byId("drop-veil");
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const lift = () => {
    depth = 0;
    veil.hidden = true;
  };
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    veil.hidden = false;
  });
  addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) lift();
  });
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    lift();
    const files = (await dropped(event.dataTransfer).catch(() => [])).filter(mayBePicture);
    if (files.length) receive(files);
    else say("No pictures were dropped.");
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    receive(files);
  });
}

/** The buttons with which pictures are chosen or taken; `several` allows more than one. */
function buttons(onFiles, several, primary) {
  const input = el("input", { type: "file", class: "visually-hidden", accept: ACCEPT, multiple: several, tabindex: -1, "aria-label": several ? "Pictures" : "Picture" });
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) onFiles(files);
  });
  const take = async () => {
    const file = await photograph();
    if (file) onFiles([file]);
  };
  const choose = button(several ? "Choose pictures" : "Choose a picture", { symbol: "upload", kind: primary, onclick: () => input.click() });
  return el("div", { class: "row" }, input, choose, button("Use the camera", { symbol: "camera", onclick: take }));
}

/** Fill `root` with a place for pictures; `onFiles` gets a list of Files that may be pictures. */
export function intake(root, { several = false, compact = false, words = "", onFiles }) {
  const note = el("p", { class: "fine left-out", hidden: true });
  const receive = (files) => {
    const kept = files.filter(mayBePicture);
    const left = files.length - kept.length;
    note.hidden = left === 0;
    note.textContent = left === 1 ? "One file was left out, as it is not a picture." : `${left} files were left out, as they are not pictures.`;
    if (left) say(note.textContent);
    if (kept.length) onFiles(several ? kept : kept.slice(0, 1));
  };
  const row = buttons(receive, several, compact ? "" : "primary");
  const more = compact ? "or drop or paste them" : `or paste ${several ? "them" : "it"}, or use the camera`;
  root.classList.toggle("compact", compact);
  root.replaceChildren(
    ...(compact ? [row, el("p", { class: "fine" }, more)] : [icon("picture"), el("p", { class: "invite" }, words), el("p", { class: "fine" }, more), row]),
    note,
  );
}
