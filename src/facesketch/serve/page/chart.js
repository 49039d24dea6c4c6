// A small line chart of our own: one curve, its axis, the last value, and any other value under the pointer or by keys.

import { el, svg } from "./dom.js";

const [WIDTH, HEIGHT] = [320, 170];
const EDGE = { left: 44, right: 10, top: 12, bottom: 24 };

/** Three significant digits, without needless zeros. */
export const figure = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "–");

const steps = (value) => (value >= 10_000 ? `${figure(value / 1000)}k` : String(value));

/** Round values between which an axis may have its marks: about three of them. */
function marks(low, high) {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / 2));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => span / each <= 4) ?? power;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) found.push(Number(value.toPrecision(8)));
  return found;
}

function scales(points) {
  const values = points.map(([, value]) => value);
  const [first, last] = [points[0][0], points.at(-1)[0]];
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const across = (step) => EDGE.left + ((step - first) / (last - first || 1)) * (WIDTH - EDGE.left - EDGE.right);
  const down = (value) => HEIGHT - EDGE.bottom - ((value - low) / (high - low)) * (HEIGHT - EDGE.top - EDGE.bottom);
  return { first, last, low, high, across, down };
}

function axes({ first, last, low, high, across, down }) {
  const nodes = marks(low, high).flatMap((value) => {
    const y = down(value).toFixed(1);
    const text = svg("text", { x: EDGE.left - 6, y: Number(y) + 3.5, "text-anchor": "end" }, figure(value));
    return [svg("line", { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y, y2: y, class: "hair" }), text];
  });
  const line = HEIGHT - 7;
  nodes.push(svg("text", { x: across(first), y: line }, steps(first)));
  if (last > first) nodes.push(svg("text", { x: across(last), y: line, "text-anchor": "end" }, `step ${steps(last)}`));
  return nodes;
}

/** A chart of `points` [[step, value], …]; `kind` chooses its colour. */
export function chart(title, points, kind = "one") {
  const kept = points.filter(([, value]) => Number.isFinite(value));
  if (kept.length < 2) {
    const words = kept.length ? `${figure(kept[0][1])} at step ${kept[0][0]}` : "no value yet";
    return el("figure", { class: "chart" }, el("figcaption", {}, el("span", {}, title), el("span", { class: "value" }, words)));
  }
  const scale = scales(kept);
  const path = kept.map(([step, value], index) => `${index ? "L" : "M"}${scale.across(step).toFixed(1)} ${scale.down(value).toFixed(1)}`).join("");
  const dot = svg("circle", { r: 3, class: `dot ${kind}` });
  const [first, last] = [kept[0], kept.at(-1)];
  const words = `${title}: from ${figure(first[1])} at step ${first[0]} to ${figure(last[1])} at step ${last[0]}`;
  const plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words }, ...axes(scale), svg("path", { d: path, class: `line ${kind}` }), dot);
  const value = el("span", { class: "value" });
  const point = ([step, number]) => {
    dot.setAttribute("cx", scale.across(step));
    dot.setAttribute("cy", scale.down(number));
    value.textContent = step === last[0] ? figure(number) : `${figure(number)} at ${steps(step)}`;
  };
  const nearest = (event) => {
    const box = plot.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    return kept.reduce((best, each) => (Math.abs(scale.across(each[0]) - x) < Math.abs(scale.across(best[0]) - x) ? each : best));
  };
  plot.addEventListener("pointermove", (event) => point(nearest(event)));
  plot.addEventListener("pointerleave", () => point(last));
  point(last);
  return el("figure", { class: "chart" }, el("figcaption", {}, el("span", {}, title), value), plot);
}
