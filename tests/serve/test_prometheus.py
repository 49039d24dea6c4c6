"""What Prometheus reads."""

from __future__ import annotations

import math
import re

from tests.serve.conftest import Ask, grey

from facesketch.serve.prometheus import TYPE, Counter, Histogram

_LINE = re.compile(r'^[a-z_]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? -?[0-9.e+-]+$')


def test_every_line_is_in_the_text_format(serve: Ask) -> None:
    client = serve()
    client.send(grey(1))
    client.get("/v1/runs/one")
    answer = client.get("/v1/metrics")
    assert answer.headers["content-type"] == TYPE
    assert answer.text.endswith("\n")
    named: set[str] = set()
    for line in answer.text.splitlines():
        if line.startswith("# "):
            named.add(line.split()[2])
        else:
            assert _LINE.match(line), line
            assert re.sub(r"_(bucket|sum|count)$", "", re.split(r"[{ ]", line)[0]) in named, line


def test_requests_are_counted_by_route_and_never_by_what_was_typed(serve: Ask) -> None:
    client = serve()
    for number in range(3):
        client.get(f"/v1/runs/made-up-{number}")
        client.get(f"/made-up/{number}")
        client.request(f"ODD{number}", "/v1/models")
    client.send(grey(1), direction="photo2sketch")
    text = client.get("/v1/metrics").text
    assert "made-up" not in text
    assert "ODD" not in text
    assert 'facesketch_requests_total{route="/v1/runs/{name}",method="GET",status="404"} 3\n' in text
    assert 'facesketch_requests_total{route="other",method="GET",status="404"} 3\n' in text
    assert 'facesketch_requests_total{route="/v1/translate",method="POST",status="200"} 1\n' in text
    assert 'facesketch_pictures_total{model="negative",direction="photo2sketch"} 1\n' in text
    assert 'facesketch_batch_pictures_bucket{le="1"} 1\n' in text
    resident = re.search(r"^process_resident_memory_bytes (\d+)$", text, re.MULTILINE)
    assert resident
    assert 20e6 < int(resident[1]) < 20e9


def test_buckets_add_up() -> None:
    histogram = Histogram("waits", "Waits.", (0.1, 1.0), ("what",))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value, "a")
    assert list(histogram.lines())[2:] == [
        'waits_bucket{what="a",le="0.1"} 2',
        'waits_bucket{what="a",le="1"} 3',
        'waits_bucket{what="a",le="+Inf"} 4',
        f'waits_sum{{what="a"}} {math.fsum([0.05, 0.1, 0.5, 7.0])!r}',
        'waits_count{what="a"} 4',
    ]


def test_what_would_break_a_line_is_escaped() -> None:
    counter = Counter("odd", "Odd.", ("what",))
    counter.add('a"b\\c\nd')
    assert list(counter.lines())[-1] == 'odd{what="a\\"b\\\\c\\nd"} 1'
