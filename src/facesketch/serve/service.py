"""All that the routes of one server share."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import ValidationError

from facesketch.serve.admission import Desk, Ticket
from facesketch.serve.catalogue import Catalogue
from facesketch.serve.multipart import GoneError, read_form
from facesketch.serve.problems import ProblemError, invalid
from facesketch.serve.prometheus import Meters
from facesketch.serve.runs import Shelf
from facesketch.serve.schemas import SearchForm, TranslateForm
from facesketch.serve.searcher import SearchedFor, Searcher
from facesketch.serve.settings import Settings
from facesketch.serve.translating import Workshop

Result = TypeVar("Result")
AnyForm = TypeVar("AnyForm", TranslateForm, SearchForm)


@dataclass(frozen=True, eq=False)
class Service:
    """All that the routes of one server share.

    Attributes:
        settings: what it was told.
        desk: who is let in.
        meters: what is counted.
        workshop: what translates.
        searcher: what searches; None without a gallery.
        shelf: the trainings; None without a folder of them.
    """

    settings: Settings
    desk: Desk
    meters: Meters
    workshop: Workshop
    searcher: Searcher | None
    shelf: Shelf | None

    @classmethod
    def build(cls, settings: Settings, catalogue: Catalogue, gallery: SearchedFor | None) -> Service:
        """Return what serves these models and this gallery."""
        limits, meters = settings.limits, Meters()
        desk = Desk(limits.queue, limits.held)
        workshop = Workshop(catalogue, limits, desk, meters)
        searcher = None if gallery is None else Searcher(gallery, workshop.darkroom)
        shelf = None if settings.runs is None else Shelf(settings.runs)
        return cls(settings, desk, meters, workshop, searcher, shelf)

    async def received(self, request: Request, form: type[AnyForm], ticket: Ticket) -> tuple[bytes, AnyForm]:
        """Return the picture and the fields of a multipart request.

        Raises:
            GoneError: the client has gone.
            ProblemError: they are not what they should be.
        """
        sent = await read_form(request, self.settings.limits, ticket)
        try:
            return sent.file, form.model_validate(sent.fields)
        except ValidationError as error:
            raise invalid(error, form) from error

    async def within(self, request: Request, work: Coroutine[Any, Any, Result]) -> Result:
        """Return the result of some work, unless it takes too long or nobody waits for it any more.

        Raises:
            GoneError: the client has gone.
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
            hint = "Try again when there is less to do, or send a smaller picture."
            raise ProblemError(504, f"This took longer than {self.settings.limits.seconds:g} s.", hint)
        finally:
            for each in (task, gone):
                each.cancel()
            await asyncio.gather(task, gone, return_exceptions=True)

    def close(self) -> None:
        """End the threads, and wait for none that is stuck."""
        if self.searcher is not None:
            self.searcher.close()
        self.workshop.close()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def service_of(request: Request) -> Service:
    """Return the service that a request is for."""
    service: Service = request.app.state.service
    return service
