// Debouncing of work that takes longer than the events that ask for it: one at a time, and always the latest.

/**
 * Call `touch()` whenever something has changed; `work()` runs when it has been quiet for `quiet` milliseconds, or
 * `most` after the first change; never twice at once. After changes meanwhile it runs once more.
 */
export function latest(work, { quiet = 250, most = 1000 } = {}) {
  let timer = 0;
  let first = 0;
  let busy = false;
  let again = false;
  const run = async () => {
    first = 0;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    again = false;
    await work();
    busy = false;
    if (again) run();
  };
  return function touch() {
    const now = performance.now();
    first ||= now;
    clearTimeout(timer);
    timer = setTimeout(run, Math.max(0, Math.min(quiet, first + most - now)));
  };
}
