// Works through jobs, a few at a time; a job can be restarted, which aborts what it was doing.

const LANES = 2;

/** `work(job, signal)` does one job; `onchange(job)` is told whenever a job's state changes. */
export class Queue {
  constructor(work, onchange) {
    this.jobs = [];
    this.work = work;
    this.onchange = onchange;
    this.active = 0;
  }

  /** Add a job, an object of the caller's; it gets state, answer, error, controller and a note. */
  add(job) {
    this.jobs.push(job);
    this.restart(job);
  }

  /** Do a job again, from the beginning. */
  restart(job) {
    job.controller?.abort(new DOMException("restarted", "AbortError"));
    Object.assign(job, { state: "waiting", answer: null, error: null, note: null, controller: null });
    this.onchange(job);
    this.pump();
  }

  /** Forget all jobs. */
  clear() {
    for (const job of this.jobs) job.controller?.abort(new DOMException("given up", "AbortError"));
    this.jobs = [];
  }

  /** How many are in each state. */
  get counts() {
    const counts = { waiting: 0, working: 0, done: 0, failed: 0 };
    for (const job of this.jobs) counts[job.state] += 1;
    return counts;
  }

  get busy() {
    return this.jobs.some((job) => job.state === "waiting" || job.state === "working");
  }

  pump() {
    while (this.active < LANES) {
      const job = this.jobs.find((each) => each.state === "waiting");
      if (!job) return;
      this.start(job);
    }
  }

  async start(job) {
    const controller = new AbortController();
    Object.assign(job, { state: "working", controller });
    this.active += 1;
    this.onchange(job);
    let outcome;
    try {
      outcome = { state: "done", answer: await this.work(job, controller.signal) };
    } catch (error) {
      outcome = { state: "failed", error };
    }
    this.active -= 1;
    if (!controller.signal.aborted) {
      Object.assign(job, outcome);
      this.onchange(job);
    }
    this.pump();
  }
}
