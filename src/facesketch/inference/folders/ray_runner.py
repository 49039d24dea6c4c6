"""The same job on a Ray cluster: every worker runs the pipeline over its share of the pictures.

All machines must see the pictures, the model and the output folder under the same paths. What is done is known from the
output folder alone, so a job that was cut off goes on, on a cluster or without one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from facesketch.errors import FaceError, FacesketchError, ImageError, ResourceError, require
from facesketch.faces.turns import Turn
from facesketch.inference.folders.pipeline import Limits, Outcome
from facesketch.inference.folders.pipeline import run as run_here
from facesketch.inference.folders.plan import Job
from facesketch.inference.model import DEFAULT, Model, Request, load

_LIMITS = Limits()
_MOST_CHUNK = 256  # pictures that a worker takes at a time; results come back as often
_SHARES = 8  # chunks that each worker gets at least, so that none waits long for the last
_AHEAD = 2  # chunks that wait for each worker, so that it never waits for the next
_PROCESSORS = 4  # of a worker; more do not make one network much faster


Chunk = Sequence[tuple[int, Job]]
Told = tuple[int, FacesketchError | None, Turn]
"""What became of a job: its number, what went wrong, if anything, and how far its picture was turned upright."""


def run(
    jobs: Sequence[Job], loading: Mapping[str, Any], asked: Request = DEFAULT, limits: Limits = _LIMITS
) -> Generator[Outcome]:
    """Translate jobs on the cluster that `RAY_ADDRESS` names, or on one started on this machine.

    Args:
        jobs: what to do.
        loading: the arguments of `facesketch.load`, by name.
        asked: what to do with each picture.
        limits: how much each worker has in memory at once.

    Yields:
        What becomes of each job, as its share ends.

    Raises:
        MissingExtraError: Ray is not installed.
        FacesketchError: what stops all pictures: a model, a request or an output that cannot be used.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is to leave the machine unasked
    require("bulk", "`runner` ray")
    import ray

    if not jobs:
        return
    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        for number, error, turned in _spread(ray, jobs, loading, asked, limits, own=started):
            if error is not None and not isinstance(error, (ImageError, FaceError)):
                raise error
            yield Outcome(jobs[number], error, turned)
    finally:
        if started:
            ray.shutdown()


def _crew(nodes: Sequence[dict[str, Any]], device: str) -> tuple[int, int, int]:
    """Return how many workers `ray.nodes()` have room for, and how many processors and GPUs each takes.

    Each takes up to 4 processors, or one GPU.
    """
    there = [node["Resources"] for node in nodes if node["Alive"]]
    if device == "cuda":
        gpus = int(sum(each.get("GPU", 0) for each in there))
        if not gpus:  # workers would wait for one without end
            raise ResourceError("`device` cuda: no machine of the Ray cluster has a GPU", "leave out `device`")
        return gpus, 1, 1
    processors = [int(each["CPU"]) for each in there if each.get("CPU", 0) >= 1]
    share = min([_PROCESSORS, *processors])
    return max(1, sum(each // share for each in processors)), share, 0


def _spread(
    ray: Any, jobs: Sequence[Job], loading: Mapping[str, Any], asked: Request, limits: Limits, own: bool
) -> Iterator[Told]:
    """Give chunks to as many workers as there is room for, each some ahead, and yield what they tell."""
    count, share, gpus = _crew(ray.nodes(), loading.get("device", "auto"))
    limits = replace(limits, readers=limits.readers or share, writers=limits.writers or share)
    size = max(1, min(_MOST_CHUNK, len(jobs) // (count * _SHARES)))
    numbered = ((number, _anywhere(job)) for number, job in enumerate(jobs))
    chunks = iter(lambda: tuple(islice(numbered, size)), ())
    kind = ray.remote(num_cpus=share, num_gpus=gpus, max_restarts=2, max_task_retries=2)(Worker)
    workers = [kind.remote(_loading_anywhere(loading), asked, limits) for _ in range(count)]
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
        seen = f"a worker of the Ray cluster kept dying ({line})"
        raise ResourceError(seen, "run the same again to go on") from error
    finally:
        for worker in [] if own else workers:
            ray.kill(worker)  # on a cluster that stays; one of this run's own ends as a whole


def _anywhere(job: Job) -> Job:
    """Return the job with paths that mean the same in a worker's own folder."""
    sheet = None if job.sheet is None else job.sheet.absolute()
    return replace(job, source=job.source.absolute(), target=job.target.absolute(), sheet=sheet)


def _loading_anywhere(loading: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with a path that means the same in a worker's own folder; names of models stay."""
    path = loading.get("path")
    return {**loading, "path": str(Path(path).absolute()) if path and Path(path).exists() else path}


class Worker:
    """One process of the cluster: loads the model once, and translates the chunks it is given."""

    def __init__(self, loading: Mapping[str, Any], asked: Request, limits: Limits) -> None:
        self._loading, self._asked, self._limits = loading, asked, limits
        self._model: Model | None = None

    def translate(self, chunk: Chunk) -> list[Told]:
        """Return what became of each job; an error that stops all of them goes to the first that is not done."""
        numbers = {job: number for number, job in chunk}
        told: list[Told] = []
        try:
            self._model = self._model or load(**self._loading)
            for job, error, turned in run_here(list(numbers), self._model, self._asked, self._limits):
                told.append((numbers.pop(job), error, turned))
        except FacesketchError as error:  # raised here, it would come out as a traceback of two machines
            told.append((min(numbers.values()), error, 0))
        return told
