"""The same job on a Ray cluster: every worker runs a pipeline of its own over its share of the pictures.

All machines must see the pictures, the model and the output folder under the same paths. What is done is known from the
output folder alone, so a job that was cut off goes on, on a cluster or without one.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from facesketch import errors
from facesketch.errors import FaceError, FacesketchError, ImageError, ResourceError, require
from facesketch.faces.turns import Turn
from facesketch.inference.folders.pipeline import Limits, Outcome
from facesketch.inference.folders.pipeline import run as run_here
from facesketch.inference.folders.plan import Job
from facesketch.inference.portraits import FacePipeline, Request

_LIMITS = Limits()
_MOST_CHUNK = 256  # pictures that a worker takes at a time; results come back as often
_SHARES = 8  # chunks a worker gets at the least, so that none waits long for the last
_AHEAD = 2  # chunks a worker has before it, so that it never waits for the next
_PROCESSORS = 4  # of a worker; more do not make one network much faster


class _Said(NamedTuple):
    """What became of a job: its number, how far its picture was turned, and the kind and words of an error."""

    number: int
    turn: Turn = 0
    kind: str = ""
    seen: str = ""
    hint: str = ""


Chunk = Sequence[tuple[int, Job]]


def run(
    jobs: Sequence[Job],
    request: Request,
    *,
    sheets: bool = False,
    limits: Limits = _LIMITS,
    turned: dict[str, Turn] | None = None,
) -> Generator[Outcome]:
    """Translate jobs on the cluster that `RAY_ADDRESS` names, or on one started on this machine.

    Args:
        jobs: what to do.
        request: how.
        sheets: keep what a job's sheet needs.
        limits: how much each worker has on its way at once.
        turned: gets, by the name of each picture that was turned upright, how far.

    Yields:
        Each job as its share ends, with what went wrong, if anything did.

    Raises:
        MissingExtraError: Ray is not installed.
        FacesketchError: something that concerns all pictures: a model, a request or a place that will not do.
    """
    ray = _ray()
    if not jobs:
        return
    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        for said in _spread(ray, jobs, request, sheets, limits, own=started):
            error = _error(said)
            if error is not None and not isinstance(error, (ImageError, FaceError)):
                raise error
            if said.turn and turned is not None:
                turned[str(jobs[said.number].source)] = said.turn
            yield jobs[said.number], error
    finally:
        if started:
            ray.shutdown()


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is to leave the machine unasked
    require("bulk", "--engine ray")
    import ray

    return ray


@dataclass(frozen=True)
class _Crew:
    """How many workers a cluster has room for, and what each takes."""

    workers: int
    processors: int
    gpus: int

    @classmethod
    def of(cls, nodes: Sequence[dict[str, Any]], device: str) -> _Crew:
        """Return the crew for `ray.nodes()`: workers of up to 4 processors each, or one for each GPU."""
        there = [node["Resources"] for node in nodes if node["Alive"]]
        if device == "cuda":
            return cls(max(1, int(sum(each.get("GPU", 0) for each in there))), 1, 1)
        processors = [int(each["CPU"]) for each in there if each.get("CPU", 0) >= 1]
        share = min([_PROCESSORS, *processors])
        return cls(max(1, sum(each // share for each in processors)), share, 0)


def _spread(
    ray: Any, jobs: Sequence[Job], request: Request, sheets: bool, limits: Limits, own: bool
) -> Iterator[_Said]:
    """Hand out chunks to as many workers as there is room for, each some ahead, and yield what they say."""
    crew = _Crew.of(ray.nodes(), request.device)
    share = crew.processors
    limits = replace(limits, readers=limits.readers or share, writers=limits.writers or share)
    size = max(1, min(_MOST_CHUNK, len(jobs) // (crew.workers * _SHARES)))
    numbered = ((number, _anywhere(job)) for number, job in enumerate(jobs))
    chunks = iter(lambda: tuple(islice(numbered, size)), ())
    kind = ray.remote(num_cpus=crew.processors, num_gpus=crew.gpus, max_restarts=2, max_task_retries=2)(Worker)
    workers = [kind.remote(_from_anywhere(request), sheets, limits) for _ in range(crew.workers)]
    at_work: dict[Any, Any] = {}
    try:
        for worker, chunk in zip(workers * _AHEAD, chunks, strict=False):
            at_work[worker.translate.remote(chunk)] = worker
        while at_work:
            (done,), _ = ray.wait(list(at_work), num_returns=1)
            worker = at_work.pop(done)
            for chunk in islice(chunks, 1):
                at_work[worker.translate.remote(chunk)] = worker
            yield from ray.get(done)
    except ray.exceptions.RayActorError as error:
        line = str(error).strip().splitlines()[0]
        raise ResourceError(
            f"a worker of the Ray cluster kept dying ({line})", "run the same again to go on"
        ) from error
    finally:
        for worker in [] if own else workers:
            ray.kill(worker)  # on a cluster that stays; one of this run's own ends as a whole


def _anywhere(job: Job) -> Job:
    """Return the job with paths that mean the same in a worker's own folder."""
    sheet = None if job.sheet is None else job.sheet.absolute()
    return replace(job, source=job.source.absolute(), target=job.target.absolute(), sheet=sheet)


def _from_anywhere(request: Request) -> Request:
    if request.model is None or not Path(request.model).exists():
        return request  # the package's own, or the name of a method
    return replace(request, model=str(Path(request.model).absolute()))


class Worker:
    """One process of the cluster: loads the model once, and translates the chunks it is given."""

    def __init__(self, request: Request, sheets: bool, limits: Limits) -> None:
        self._request, self._sheets, self._limits = request, sheets, limits
        self._studio: FacePipeline | None = None

    def translate(self, chunk: Chunk) -> list[_Said]:
        """Return what became of each job; what concerns all of them is said of the first that is not done."""
        numbers = {job: number for number, job in chunk}
        said: list[_Said] = []
        try:
            self._studio = self._studio or FacePipeline(self._request, keep_sources=self._sheets)
            for job, error in run_here(list(numbers), self._studio, self._limits):
                said.append(_say(numbers.pop(job), error, self._studio.turned.pop(str(job.source), 0)))
        except FacesketchError as error:  # raised here, it would come out as a traceback of two machines
            said.append(_say(min(numbers.values()), error))
        return said


def _say(number: int, error: FacesketchError | None, turn: Turn = 0) -> _Said:
    return _Said(number, turn) if error is None else _Said(number, turn, type(error).__name__, error.seen, error.hint)


def _error(said: _Said) -> FacesketchError | None:
    if not said.kind:
        return None
    error: FacesketchError = getattr(errors, said.kind)(said.seen, said.hint)
    return error
