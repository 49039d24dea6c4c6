// The paper: strokes of pencil and eraser over a starting face, kept so that each can be undone.

const GRAPHITE = "#26241f";
const TIP = 64;

/** A soft, grainy tip; the grain is always the same, so that a drawing looks the same when it is redrawn. */
function tip() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [TIP, TIP];
  const paint = canvas.getContext("2d");
  const shade = paint.createRadialGradient(TIP / 2, TIP / 2, 0, TIP / 2, TIP / 2, TIP / 2);
  shade.addColorStop(0, GRAPHITE);
  shade.addColorStop(0.55, `${GRAPHITE}c0`);
  shade.addColorStop(1, `${GRAPHITE}00`);
  paint.fillStyle = shade;
  paint.fillRect(0, 0, TIP, TIP);
  paint.globalCompositeOperation = "destination-out";
  let seed = 7;
  for (let grain = 0; grain < 260; grain += 1) {
    const [across, down] = [0, 0].map(() => (seed = (seed * 16807) % 2147483647) % TIP);
    paint.fillStyle = `rgb(0 0 0 / ${0.15 + (seed % 50) / 100})`;
    paint.fillRect(across, down, 2, 2);
  }
  return canvas;
}

const blank = (like) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [like.width, like.height];
  return canvas;
};

/** Draws on a canvas; points are in its own pixels, pressure and opacity in [0, 1]. */
export class Paper {
  constructor(canvas) {
    this.canvas = canvas;
    this.tip = tip();
    this.ink = blank(canvas);
    this.face = blank(canvas);
    /** @type {{image: CanvasImageSource, box: [number, number, number, number]} | null} */
    this.start = null;
    this.opacity = 1;
    this.strokes = [];
    this.undone = [];
    this.stroke = null;
    this.redraw();
  }

  /**
   * Put a face under the drawing, or null for blank paper.
   * @param {{image: CanvasImageSource, box: [number, number, number, number]} | null} start
   */
  setStart(start) {
    this.start = start;
    this.redraw();
  }

  setOpacity(value) {
    this.opacity = value;
    this.compose();
  }

  begin(tool, size, point) {
    this.stroke = { tool, size, points: [point] };
    this.mark(this.stroke);
    this.compose();
  }

  extend(points) {
    if (!this.stroke) return;
    const from = this.stroke.points.length - 1;
    this.stroke.points.push(...points);
    this.mark(this.stroke, from);
    this.compose();
  }

  end() {
    if (!this.stroke) return;
    this.strokes.push(this.stroke);
    this.undone = [];
    this.stroke = null;
  }

  undo() {
    if (this.strokes.length) this.undone.push(this.strokes.pop());
    this.redraw();
  }

  redo() {
    if (this.undone.length) this.strokes.push(this.undone.pop());
    this.redraw();
  }

  /** Clear all strokes; this can be undone too. */
  clear() {
    if (!this.strokes.length) return;
    this.strokes.push({ tool: "clear" });
    this.undone = [];
    this.redraw();
  }

  get empty() {
    return this.strokes.length === 0 || this.strokes.at(-1).tool === "clear";
  }

  /** Redraw everything since the last clearing, with the current stroke. */
  redraw() {
    const { width, height } = this.canvas;
    for (const layer of [this.ink, this.face]) layer.getContext("2d").clearRect(0, 0, width, height);
    if (this.start) this.face.getContext("2d").drawImage(this.start.image, ...this.start.box);
    const from = this.strokes.findLastIndex((stroke) => stroke.tool === "clear") + 1;
    for (const stroke of this.strokes.slice(from)) this.mark(stroke);
    if (this.stroke) this.mark(this.stroke);
    this.compose();
  }

  /** Show paper, face and ink. */
  compose() {
    const paint = this.canvas.getContext("2d");
    paint.globalAlpha = 1;
    paint.fillStyle = "#fff";
    paint.fillRect(0, 0, this.canvas.width, this.canvas.height);
    paint.globalAlpha = this.opacity;
    paint.drawImage(this.face, 0, 0);
    paint.globalAlpha = 1;
    paint.drawImage(this.ink, 0, 0);
  }

  /** Put a stroke on its layers, all of it or the part after the point `from`. */
  mark(stroke, from = -1) {
    if (stroke.tool === "eraser") this.rub(stroke, from);
    else this.pencil(stroke, from);
  }

  rub({ size, points }, from) {
    for (const layer of [this.ink, this.face]) {
      const paint = layer.getContext("2d");
      paint.globalCompositeOperation = "destination-out";
      [paint.lineWidth, paint.lineCap, paint.lineJoin] = [3 * size, "round", "round"];
      const path = points.slice(Math.max(0, from));
      paint.beginPath();
      paint.moveTo(path[0].x, path[0].y);
      for (const { x, y } of path) paint.lineTo(x, y);
      paint.stroke();
      paint.globalCompositeOperation = "source-over";
    }
  }

  /** Stamp the tip along the path; more pressure draws wider and darker. */
  pencil({ size, points }, from) {
    const paint = this.ink.getContext("2d");
    const stamp = ({ x, y, pressure }) => {
      const across = 1.5 * size * (0.45 + 0.9 * pressure);
      paint.globalAlpha = 0.1 + 0.5 * pressure;
      paint.drawImage(this.tip, x - across / 2, y - across / 2, across, across);
    };
    if (from < 0) stamp(points[0]);
    for (let index = Math.max(0, from) + 1; index < points.length; index += 1) {
      const [one, other] = [points[index - 1], points[index]];
      const count = Math.max(1, Math.round(Math.hypot(other.x - one.x, other.y - one.y) / Math.max(1, 0.22 * size)));
      for (let step = 1; step <= count; step += 1) {
        const mix = (name) => one[name] + ((other[name] - one[name]) * step) / count;
        stamp({ x: mix("x"), y: mix("y"), pressure: mix("pressure") });
      }
    }
    paint.globalAlpha = 1;
  }
}
