// Photographs a face: with the camera in the page where the browser allows it, else with the phone's own.

import { button, el, errorBox } from "./dom.js";

/** Whether pictures can be taken in the page; browsers allow it only over https and on this computer. */
const inPage = () => Boolean(navigator.mediaDevices?.getUserMedia);

function withOwnCamera() {
  const input = el("input", { type: "file", accept: "image/*", capture: "user", "aria-label": "Take a picture" });
  return new Promise((resolve) => {
    input.addEventListener("change", () => resolve(input.files[0] ?? null));
    input.addEventListener("cancel", () => resolve(null));
    input.click();
  });
}

async function snap(video) {
  const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  return new File([blob], "camera.jpg", { type: "image/jpeg" });
}

const WORDS = {
  NotAllowedError: ["The browser may not use the camera.", "Allow it in the browser's address bar, or choose a picture instead."],
  NotFoundError: ["No camera was found.", "Plug one in, or choose a picture instead."],
  NotReadableError: ["Another program is using the camera.", "Close that program, or choose a picture instead."],
};

async function openCamera(video, box) {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1280 } } });
    video.srcObject = stream;
    await video.play();
    return stream;
  } catch (error) {
    const [message, hint] = WORDS[error.name] ?? ["The camera could not be started.", "Choose a picture instead."];
    /** @type {MediaStream | null} */ (video.srcObject)?.getTracks().forEach((track) => track.stop());
    box.replaceWith(errorBox({ message, hint }));
    return null;
  }
}

/** Let the user take a picture; gives a File, or null. */
export async function photograph() {
  if (!inPage()) return withOwnCamera();
  const video = el("video", { muted: true, playsinline: true, "aria-label": "What the camera sees" });
  video.muted = true;
  const box = el("div", { class: "viewfinder" }, video, el("span", { class: "oval", "aria-hidden": "true" }));
  const take = button("Take the picture", { symbol: "camera", kind: "primary", disabled: true });
  const dialog = el("dialog", { class: "sheet", "aria-labelledby": "camera-title" });
  let stream = null;
  const result = new Promise((resolve) => {
    const finish = (file) => {
      stream?.getTracks().forEach((track) => track.stop());
      dialog.close();
      dialog.remove();
      resolve(file);
    };
    take.addEventListener("click", async () => finish(await snap(video)));
    dialog.addEventListener("cancel", () => finish(null));
    const row = el("div", { class: "row" }, take, button("Cancel", { onclick: () => finish(null) }));
    dialog.append(el("h2", { id: "camera-title" }, "Look at the camera"), box, row);
  });
  document.body.append(dialog);
  dialog.showModal();
  stream = await openCamera(video, box);
  if (stream && !dialog.open) stream.getTracks().forEach((track) => track.stop());
  take.disabled = stream === null;
  if (stream) take.focus();
  return result;
}
