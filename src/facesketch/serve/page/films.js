// The strip shown for several pictures: the state of each, the overall progress, and one zip of all.

import { button, blobOf, download, el, errorBox, icon, say } from "./dom.js";
import { zip } from "./zip.js";

const STATES = { waiting: "waiting", working: "in progress", done: "ready", failed: "not translated" };

function film(job, chosen, select) {
  const result = job.state === "done" ? el("img", { src: job.answer.result, alt: "", loading: "lazy" }) : el("span", { class: "blank" });
  const shown = job.state === "done" ? job.answer.source : job.preview;
  const image = el("img", { src: shown, alt: "", loading: "lazy", onerror: () => image.replaceWith(el("span", { class: "blank" }, icon("alert"))) });
  const pictures = el("span", { class: "two", "aria-hidden": "true" }, image, result);
  const words = el("span", { class: "name" }, job.name);
  const state = el("span", { class: "state" }, STATES[job.state]);
  const props = { type: "button", class: `film ${job.state}`, "aria-pressed": String(chosen), onclick: () => select(job) };
  return el("li", {}, el("button", props, pictures, words, state));
}

function progressWords({ done, failed }, total) {
  const left = failed ? `, ${failed} not translated` : "";
  return done + failed === total ? `All ${total} finished: ${done} ready${left}` : `${done} of ${total} ready${left}`;
}

/** Keep a strip of jobs in `root`; `select(job)` is called when one is chosen. */
export function films(root, { select, resultName }) {
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Pictures translated" });
  const words = el("p", { class: "fine", id: "films-words" });
  const list = el("ul", {});
  const nodes = new Map();
  let jobs = [];
  const pack = async () => {
    const done = jobs.filter((job) => job.state === "done");
    root.querySelector(":scope > .error-box")?.remove();
    try {
      download(await zip(done.map((job) => ({ name: resultName(job), blob: blobOf(job.answer.result) }))), "facesketch.zip");
      say(`${done.length} pictures in facesketch.zip.`);
    } catch {
      root.append(errorBox({ message: "The zip could not be made.", hint: "The browser may be short of memory; download the pictures one by one." }));
    }
  };
  const save = button("Download all as a zip", { symbol: "download", onclick: pack, id: "save-zip" });
  root.replaceChildren(el("div", { class: "films-head" }, el("div", {}, words, bar), save), list);

  /** Show the jobs of a queue as they are now; only films that changed are replaced, so that the focus stays. */
  function update(queue, current) {
    jobs = queue.jobs;
    root.hidden = jobs.length < 2;
    const { counts } = queue;
    words.textContent = progressWords(counts, jobs.length);
    bar.max = Math.max(1, jobs.length);
    bar.value = counts.done + counts.failed;
    save.disabled = counts.done === 0;
    for (const job of nodes.keys()) {
      if (!jobs.includes(job)) {
        nodes.get(job).node.remove();
        nodes.delete(job);
      }
    }
    for (const job of jobs) place(job, job === current);
  }

  function place(job, chosen) {
    const known = nodes.get(job);
    if (known?.state === job.state && known.answer === job.answer) {
      known.node.firstChild.setAttribute("aria-pressed", String(chosen));
      return;
    }
    const focused = known?.node.contains(document.activeElement);
    const node = film(job, chosen, select);
    if (known) known.node.replaceWith(node);
    else list.append(node);
    if (focused) node.firstChild.focus({ preventScroll: true });
    nodes.set(job, { node, state: job.state, answer: job.answer });
  }

  return { update };
}
