"""What the routes of a server share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import ValidationError

from facesketch.serve.admission import Admission, Ticket
from facesketch.serve.catalogue import Catalogue
from facesketch.serve.multipart import GoneError, read_form
from facesketch.serve.problems import ProblemError, invalid
from facesketch.serve.prometheus import Metrics
from facesketch.serve.runs import RunStore
from facesketch.serve.schemas import SearchForm, TranslateForm
from facesketch.serve.searcher import Searcher
from facesketch.serve.settings import Settings
from facesketch.serve.translating import UploadTranslator

if TYPE_CHECKING:
    from facesketch.search.gallery import Gallery

Result = TypeVar("Result")
AnyForm = TypeVar("AnyForm", TranslateForm, SearchForm)


class Service:
    """Holds the translator, the searcher (None without a gallery) and the run store (None without a folder of runs)."""

    def __init__(self, settings: Settings, catalogue: Catalogue, gallery: Gallery | None) -> None:
        limits = settings.limits
        self.settings, self.metrics = settings, Metrics()
        self.admission = Admission(limits.queue, limits.held)
        self.translator = UploadTranslator(catalogue, limits, self.admission, self.metrics)
        self.searcher = None if gallery is None else Searcher(gallery, self.translator.decoder)
        self.run_store = None if settings.runs is None else RunStore(settings.runs)
        gauge, admission = self.metrics.gauge, self.admission
        gauge("facesketch_queue", "Requests that are arriving, waiting or running.", lambda: admission.active)
        gauge("facesketch_queue_bytes", "Bytes of the uploads of these requests.", lambda: admission.held)
        gauge("facesketch_network_waiting", "Pictures that wait for a network.", lambda: self.translator.waiting)

    async def received(
        self, request: Request, form: type[AnyForm], ticket: Ticket, most: int = 1
    ) -> tuple[list[bytes], AnyForm]:
        """Return the pictures, at most `most`, and the fields of a multipart request.

        Raises:
            GoneError: the client has disconnected.
            ProblemError: the pictures or the fields cannot be used.
        """
        files, fields = await read_form(request, self.settings.limits, ticket, most)
        try:
            return files, form.model_validate(fields)
        except ValidationError as error:
            raise invalid(error, form) from error

    async def in_thread(self, request: Request, pool: Executor, work: Callable[..., Result], *given: Any) -> Result:
        """Admit a request without an upload, do its work in a thread of the pool, and return the result.

        Raises:
            GoneError: the client has disconnected.
            ProblemError: 429, there are too many requests; 504, it takes too long.
        """
        with self.admission.admit() as ticket:
            return await self.within(request, ticket.run(pool, work, *given))

    async def within(self, request: Request, work: Coroutine[Any, Any, Result]) -> Result:
        """Return the result of `work`, unless it takes too long or the client disconnects.

        Raises:
            GoneError: the client has disconnected.
            ProblemError: 504, it takes too long.
        """
        task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
        try:
            done, _ = await asyncio.wait(
                {task, gone}, timeout=self.settings.limits.seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if task in done:
                return task.result()
            if gone in done:
                raise GoneError
            hint = "Try again later, or send a smaller picture."
            raise ProblemError(504, f"This took longer than {self.settings.limits.seconds:g} s.", hint)
        finally:
            for each in (task, gone):
                each.cancel()
            await asyncio.gather(task, gone, return_exceptions=True)

    def close(self) -> None:
        """End the threads without waiting for one that is stuck."""
        if self.searcher is not None:
            self.searcher.close()
        self.translator.close()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service_of)]
"""The server's service, as the parameter of a route."""
