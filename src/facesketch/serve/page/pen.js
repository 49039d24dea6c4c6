// Draws on a canvas: pointer events with their pressure, and arrow keys for those who use no pointer.

const MOUSE_PRESSURE = 0.45;
const ERASER = 5; // the button of a pen's other end

/** Let the user draw on a canvas; `tool()` gives {name, size}, `changed()` is called after every mark. */
export function pen(canvas, paper, tool, changed) {
  let penSeen = false;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const pressure = event.pointerType === "pen" ? event.pressure : MOUSE_PRESSURE;
    return { x: ((event.clientX - box.left) / box.width) * canvas.width, y: ((event.clientY - box.top) / box.height) * canvas.height, pressure };
  };
  canvas.addEventListener("pointerdown", (event) => {
    penSeen ||= event.pointerType === "pen";
    // once a pen is in use, the palm that rests on the glass must not draw
    if ((event.button > 0 && event.button !== ERASER) || paper.stroke?.pointer !== undefined || (penSeen && event.pointerType === "touch")) return;
    canvas.setPointerCapture(event.pointerId);
    const { name, size } = tool();
    paper.end(); // a stroke that was begun by key
    paper.begin(event.button === ERASER ? "eraser" : name, size, at(event));
    paper.stroke.pointer = event.pointerId;
    changed();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (paper.stroke?.pointer !== event.pointerId) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    paper.extend((passed.length ? passed : [event]).map(at));
    changed();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => {
      if (paper.stroke?.pointer !== event.pointerId) return;
      paper.end();
      changed();
    });
  }
  keys(canvas, paper, tool, changed);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Arrows move a cross over the paper; the space bar puts the pencil down and lifts it. */
function keys(canvas, paper, tool, changed) {
  const cross = canvas.parentElement.querySelector(".cross");
  const place = { x: canvas.width / 2, y: canvas.height / 2, pressure: MOUSE_PRESSURE };
  const show = () => {
    cross.hidden = false;
    cross.style.setProperty("--x", `${(100 * place.x) / canvas.width}%`);
    cross.style.setProperty("--y", `${(100 * place.y) / canvas.height}%`);
    cross.classList.toggle("down", Boolean(paper.stroke));
  };
  const lift = () => {
    if (!paper.stroke || paper.stroke.pointer !== undefined) return;
    paper.end();
    changed();
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") {
      if (paper.stroke) lift();
      else paper.begin(tool().name, tool().size, { ...place });
    } else if (event.key === "Escape") lift();
    else if (event.key in ARROWS) {
      const [right, down] = ARROWS[event.key].map((step) => step * (event.shiftKey ? 40 : 8));
      place.x = Math.min(canvas.width, Math.max(0, place.x + right));
      place.y = Math.min(canvas.height, Math.max(0, place.y + down));
      if (paper.stroke) paper.extend([{ ...place }]);
    } else return;
    event.preventDefault();
    show();
    if (paper.stroke) changed();
  });
  canvas.addEventListener("blur", () => {
    lift();
    cross.hidden = true;
  });
}
