"""What docs/search.md tells people to type works, on drawn faces."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facesketch.cli.search.index import index
from facesketch.cli.search.query import query

PAGE = Path(__file__).resolve().parents[2] / "docs" / "search.md"
SHORTER = {"--pairs 40": "--pairs 16", "synthetic:10000": "synthetic:4"}
"""What the test puts in place of a command's own length, so that it ends in seconds."""


def _commands() -> list[str]:
    return re.findall(r"^    (facesketch .*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def _shortened(line: str) -> list[str]:
    for long, short in SHORTER.items():
        line = line.replace(long, short)
    return shlex.split(line)[1:]


def _arrange(people: Path) -> None:
    """Make what the page supposes besides the drawn people: photos, a table, a sketch and others."""
    for folder, photos in (("photos", 3), ("photos/archive", 1), ("others", 2)):
        Path(folder).mkdir(exist_ok=True)
        for number in range(photos):
            shutil.copyfile(people / "photos" / f"face-000{number + 1}.png", Path(folder, f"{number}.png"))
    Image.open("photos/archive/0.png").save("photos/archive/0815.jpg")
    Image.open(people / "sketches" / "face-0002.png").save("sketch.jpg")
    lines = ["file,id,label,gender,glasses", "0.png,p17,Anna K.,,", "1.png,p17,Anna K.,,"]
    lines.append("people/photos/face-0005.png,p19,Cleo,female,yes")
    Path("people.csv").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.slow
def test_the_commands_and_the_python_run(
    command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = 0
    for line in _commands():
        if "s3://" in line:
            continue
        answer = command(*_shortened(line))
        assert answer.code == 0, (line, answer)
        run += 1
        if run == 1:
            _arrange(Path("people"))
    assert run >= 10
    assert Path("hits.png").stat().st_size > 0
    assert len(json.loads(Path("hits.json").read_text(encoding="utf-8"))["hits"]) > 0
    assert {path.name for path in Path("measured-among-others").iterdir()} >= {"search.json", "search.png"}
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    exec(compile(code, "search.md", "exec"), {})


@pytest.mark.parametrize("verb", [index, query])
def test_the_page_names_every_option(verb: Callable[..., Any]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, each in inspect.signature(verb).parameters.items():
        flag = f"--{name.replace('_', '-')}" if name != "query_log" else "--no-query-log"
        assert each.kind is not each.KEYWORD_ONLY or name == "quiet" or flag in text, flag


def test_the_table_of_people_is_one_that_is_understood(tmp_path: Path) -> None:
    from facesketch.search.storage.people import read_people

    lines = re.search(r"^    file,id,label\n(?:    .+\n)+", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert lines is not None
    table = tmp_path / "people.csv"
    table.write_text(lines[0].replace("    ", ""), encoding="utf-8")
    assert read_people(table)["archive/0815.jpg"][:2] == ("p18", "B. N.")
