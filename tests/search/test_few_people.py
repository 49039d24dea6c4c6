"""A gallery of too few people finds who comes nearest, and tells no chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facesketch.search.gallery import Gallery


def test_few_people_tell_no_chance(gallery: Gallery, tmp_path: Path, draw: Any) -> None:
    sketch = draw(tmp_path / "sketch.png", (220, 30, 40))
    for number in range(29):
        draw(tmp_path / "some" / f"{number}.png", (200 - 5 * number, 40 + 5 * number, 60))
    draw(tmp_path / "some" / "again.png", (210, 40, 60))
    table = tmp_path / "people.csv"
    table.write_text("file,id,label\nsome/0.png,0,Ann\nsome/again.png,0,Ann\n")
    gallery.add(tmp_path / "some", table)
    answer = gallery.search(sketch, 4)
    assert (gallery.info().count, gallery.info().people) == (30, 29)
    assert (answer.absent, answer.elsewhere) == (None, None)
    assert [hit.chance for hit in answer.hits] == [None] * 4
    assert "Too few people in the gallery" in answer.verdict
    assert f"{answer.hits[0].label} is nearest" in answer.verdict
    assert "%" not in answer.verdict
    draw(tmp_path / "some" / "thirtieth.png", (20, 40, 200))
    gallery.add(tmp_path / "some")
    answer = gallery.search(sketch, 4)
    assert answer.absent is not None
    assert all(hit.chance is not None for hit in answer.hits)
