"""The metrics that Prometheus reads."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families
from tests.serve.conftest import Ask, grey

from facesketch.serve.prometheus import MEDIA

_NAMES = {
    "facesketch_requests",
    "facesketch_request_seconds",
    "facesketch_pictures",
    "facesketch_batch_pictures",
    "facesketch_network_seconds",
    "facesketch_crashes",
    "facesketch_queue",
    "facesketch_queue_bytes",
    "facesketch_network_waiting",
    "facesketch_up_seconds",
    "process_resident_memory_bytes",
}


def test_metrics_are_in_the_text_format_under_their_names(serve: Ask) -> None:
    client = serve()
    client.send(grey(1))
    answer = client.get("/v1/metrics")
    assert answer.headers["content-type"] == MEDIA
    families = {each.name: each for each in text_string_to_metric_families(answer.text)}
    assert families.keys() >= _NAMES
    assert "_created" not in answer.text


def test_requests_are_counted_by_route_and_not_by_path(serve: Ask) -> None:
    client = serve()
    for number in range(3):
        client.get(f"/v1/runs/made-up-{number}")
        client.get(f"/made-up/{number}")
        client.request(f"ODD{number}", "/v1/models")
    client.send(grey(1), direction="photo2sketch")
    text = client.get("/v1/metrics").text
    assert "made-up" not in text
    assert "ODD" not in text
    assert 'facesketch_requests_total{method="GET",route="/v1/runs/{name}",status="404"} 3.0\n' in text
    assert 'facesketch_requests_total{method="GET",route="other",status="404"} 3.0\n' in text
    assert 'facesketch_requests_total{method="POST",route="/v1/translate",status="200"} 1.0\n' in text
    assert 'facesketch_pictures_total{direction="photo2sketch",model="negative"} 1.0\n' in text
    assert 'facesketch_batch_pictures_bucket{le="1.0"} 1.0\n' in text
    resident = re.search(r"^process_resident_memory_bytes (\S+)$", text, re.MULTILINE)
    assert resident
    assert 20e6 < float(resident[1]) < 20e9


def test_servers_in_one_process_count_apart(serve: Ask) -> None:
    one, other = serve(), serve()
    one.send(grey(1))
    assert "facesketch_pictures_total{" in one.get("/v1/metrics").text
    assert "facesketch_pictures_total{" not in other.get("/v1/metrics").text
