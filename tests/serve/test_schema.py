"""The API does as its OpenAPI document says, whatever is sent."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis import BaseSchema, GenerationMode
from starlette.types import Receive, Scope, Send
from tests.serve.conftest import Network, catalogue, grey
from tests.serve.test_runs import write_run
from tests.serve.test_search import Shown

from facesketch.serve.app import build
from facesketch.serve.settings import Settings

_PICTURES = [grey(value, size) for value, size in ((0, (8, 8)), (90, (30, 20)), (255, (16, 40)))]
_KNOWN_ELSEWHERE = ["2xx", "400", "404", "406"]  # ids of models and trainings, and kinds of answers, are not in it

schemathesis.openapi.format("binary", st.sampled_from(_PICTURES) | st.binary(max_size=200))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> BaseSchema:
    runs = tmp_path_factory.mktemp("runs")
    write_run(runs / "one", [], steps=3)
    guard = build(Settings(runs=runs, hosts=("testserver",)), catalogue(Network(styles=("soft", "hard"))), Shown())
    config = schemathesis.Config.from_dict(
        {"checks": {"positive_data_acceptance": {"expected-statuses": [*_KNOWN_ELSEWHERE, "415"]}}}
    )

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":  # schemathesis shuts an application down after each test
            await guard(scope, receive, send)

    return schemathesis.openapi.from_asgi("/v1/openapi.json", endless, config=config)


_OPERATIONS = [
    "POST /v1/translate",
    "POST /v1/search",
    "GET /v1/models",
    "GET /v1/gallery",
    "GET /v1/gallery/pictures/{name}",
    "GET /v1/runs",
    "GET /v1/runs/{name}",
    "GET /v1/runs/{name}/samples/{epoch}",
    "GET /v1/health",
    "GET /v1/metrics",
]


# only an operation that takes something can get something wrong
_CASES = [
    (operation, mode)
    for operation in _OPERATIONS
    for mode in GenerationMode
    if mode.is_positive or operation.startswith("POST") or "{" in operation
]


@pytest.mark.parametrize(("operation", "mode"), _CASES)
def test_the_api_does_as_its_document_says(api: BaseSchema, operation: str, mode: GenerationMode) -> None:
    method, path = operation.split()
    examples = 40 if method == "POST" else 10
    body = api.raw_schema["paths"][path][method.lower()].get("requestBody", {"content": {}})["content"]
    fields = {name: each for form in body.values() for name, each in form["schema"]["properties"].items()}
    texts = {name for name, each in fields.items() if each.get("type") == "string"}

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=api[path][method].as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        # a form leaves an empty list out and sends a number as text, so neither breaks a rule
        sent = case.body.items() if isinstance(case.body, dict) else ()
        assume(
            not any(value in ([], {}) or (name in texts and isinstance(value, (int, float))) for name, value in sent)
        )
        case.call_and_validate()

    holds()


def test_the_document_names_every_route(api: BaseSchema) -> None:
    paths = api.raw_schema["paths"].items()
    assert {f"{method.upper()} {path}" for path, methods in paths for method in methods} == set(_OPERATIONS)


def test_nothing_of_the_document_lies_on_another_host(api: BaseSchema) -> None:
    assert "http" not in str({key: value for key, value in api.raw_schema.items() if key != "openapi"})
