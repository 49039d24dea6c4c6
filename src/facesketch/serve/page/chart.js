// A line chart of our own: curves on common axes, their last values, and any other values under the pointer.

import { el, svg } from "./dom.js";

const [WIDTH, HEIGHT] = [320, 170];
const EDGE = { left: 44, right: 10, top: 12, bottom: 24 };
const COLOURS = 6;

/** Three significant digits, without needless zeros. */
const figure = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "–");

const steps = (value) => (value >= 10_000 ? `${figure(value / 1000)}k` : String(value));

/** Round values for the marks of an axis, about three of them. */
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
  const places = points.map(([step]) => step);
  const [first, last] = [Math.min(...places), Math.max(...places)];
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

/** The points averaged with their neighbours, a fiftieth of the curve on either side: single steps jump about. */
function smooth(points) {
  const reach = Math.floor(points.length / 50);
  return points.map(([step], place) => {
    const near = points.slice(Math.max(0, place - reach), place + reach + 1);
    return [step, near.reduce((sum, [, value]) => sum + value, 0) / near.length];
  });
}

/** One curve on the axes, and its entry in the legend; `at(x)` shows the value that is nearest, the last without x. */
function curve({ words, points: raw, colour, dashed }, { across, down }) {
  const points = smooth(raw);
  const style = `${dashed ? "dashed " : ""}colour-${colour % COLOURS}`;
  const path = (each) => each.map(([step, value], index) => `${index ? "L" : "M"}${across(step).toFixed(1)} ${down(value).toFixed(1)}`).join("");
  const dot = svg("circle", { r: 3, class: `dot ${style}` });
  const value = el("span", { class: "value" });
  const at = (x) => {
    const nearest = (best, each) => (Math.abs(across(each[0]) - x) < Math.abs(across(best[0]) - x) ? each : best);
    const [step, number] = x === undefined ? points.at(-1) : points.reduce(nearest);
    dot.setAttribute("cx", across(step));
    dot.setAttribute("cy", down(number));
    value.textContent = x === undefined ? figure(number) : `${figure(number)} at ${steps(step)}`;
  };
  at();
  const told = `${words} from ${figure(points[0][1])} at step ${points[0][0]} to ${figure(points.at(-1)[1])} at step ${points.at(-1)[0]}`;
  const behind = points.length < 50 ? [] : [svg("path", { d: path(raw), class: `raw ${style}` })];
  return { told, behind, nodes: [svg("path", { d: path(points), class: `line ${style}` }), dot], entry: el("li", { class: style }, el("span", { class: "key" }), el("span", {}, words), value), at };
}

/** A chart of `lines` [{words, points: [[step, value], …], colour, dashed}], with a sentence that says what they mean. */
export function chart(title, sentence, lines) {
  const scale = scales(lines.flatMap((line) => line.points));
  const curves = lines.map((line) => curve(line, scale));
  const told = curves.map((each) => each.told).join("; ");
  const plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${told}` }, ...axes(scale), ...curves.flatMap((each) => each.behind), ...curves.flatMap((each) => each.nodes));
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    for (const each of curves) each.at(((event.clientX - box.left) / box.width) * WIDTH);
  });
  plot.addEventListener("pointerleave", () => curves.forEach((each) => each.at()));
  const legend = el("ul", { class: "legend" }, curves.map((each) => each.entry));
  return el("figure", { class: "chart" }, el("figcaption", {}, title), plot, legend, el("p", { class: "fine" }, sentence));
}
