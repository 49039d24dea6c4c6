// Which curves of a training share a chart, and what each chart says, in a sentence.

import { chart } from "./chart.js";

const WORDS = {
  discriminator: "both together",
  discriminators: "all together",
  d_real: "on real pictures",
  d_fake: "on drawn pictures",
  d_photo: "on photos",
  d_sketch: "on sketches",
  adversarial: "how rarely it is fooled",
  loss: "everything",
  generator: "of the drawing network",
  generators: "of the drawing networks",
  autoencoder: "of the network",
  l1: "pixels",
  edges: "edges",
  perceptual: "overall look",
  reconstruction: "the picture itself",
  cycle: "there and back",
  identity: "left as it is",
  code: "its code",
};
const LOSSES = [
  ["All losses, weighted", "Training makes this sum smaller. What counts is whether it still falls.", ["generator", "generators", "autoencoder"]],
  ["Distance to the true picture", "How far the drawn pictures are from the right ones. Smaller is better.", ["l1", "edges", "perceptual", "reconstruction", "cycle", "identity", "code"]],
  ["The judge", "A second network judges what is real. Its errors should neither vanish nor keep growing.", ["discriminator", "discriminators", "d_real", "d_fake", "d_photo", "d_sketch", "adversarial"]],
  ["Spread of the codes", "How far the codes of the faces stray from the spread they should have. It settles at a small value.", ["divergence"]],
];
const VALIDATION = [
  ["Likeness in structure", "How alike edges and shading are, on people left out of training. 1 means the same picture.", ["ssim"]],
  ["Error in brightness", "The mean error of a pixel, on people left out of training. Smaller is better.", ["mae"]],
  ["All losses, weighted", "The same sum, on people left out of training. If it rises while the training loss falls, the model memorises.", ["loss", "generator", "generators", "autoencoder"]],
  ["The judge", "The errors of the second network, on people left out of training.", ["discriminator", "discriminators"]],
];
const OTHER = "A measure that only this method has.";

/** The lines of one chart: the second run's are dashed, in the colours of the first. */
function linesOf(names, runs) {
  const plain = runs.length === 1;
  return runs.flatMap(({ name: run, curves }, place) =>
    names.flatMap((name, colour) => {
      const words = names.length === 1 ? (plain ? "latest" : run) : `${WORDS[name] ?? name.replaceAll("_", " ")}${plain ? "" : ` · ${run}`}`;
      return curves[name]?.length ? [{ words, points: curves[name], colour, dashed: place > 0 }] : [];
    }),
  );
}

function chartsOf(groups, runs) {
  const there = [...new Set(runs.flatMap(({ curves }) => Object.keys(curves)))];
  const known = new Set(groups.flatMap(([, , names]) => names));
  const alone = there.filter((name) => !known.has(name)).map((name) => [name.replaceAll("_", " "), OTHER, [name]]);
  return [...groups, ...alone].flatMap(([title, sentence, names]) => {
    const lines = linesOf(names.filter((name) => there.includes(name)), runs);
    return lines.length ? [chart(title, sentence, lines)] : [];
  });
}

/** The charts of one run or two, each {name, losses, validation}: those of losses, and those of validation figures. */
export function charts(runs) {
  const of = (groups, kind) => chartsOf(groups, runs.map((run) => ({ name: run.name, curves: run[kind] })));
  return { losses: of(LOSSES, "losses"), validation: of(VALIDATION, "validation") };
}
