"""The page as a whole: complete, self-contained, well formed, and the same each time."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from facesketch.cli.report import report as verb
from facesketch.errors import DataError
from facesketch.methods.registry import family
from facesketch.study.grid import PRESETS, Cell, plan
from facesketch.study.report import tables
from facesketch.study.report.build import build_report
from facesketch.study.study import Study
from facesketch.training.cost import Estimate

Fabricate = Callable[..., Path]
FAILED, MISSING = "conv-ae-bce.sketch2photo", "dense-ae.sketch2photo"
_VOID = {"meta", "img", "br", "link", "input", "hr"}


class _Page(HTMLParser):
    """Reads a page, and refuses tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, fabricate: Fabricate) -> Path:
    """Return a whole study, of what is only named too, with one failed and one missing cell."""
    out = tmp_path_factory.mktemp("study") / "run"
    return fabricate(out, failed=[FAILED], missing=[MISSING], named=True)


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    """Return its report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "estimate", lambda config, half: Estimate(1, 3 << 30, 1, 1))
        return build_report(folder).read_text(encoding="utf-8")


def test_the_page_is_well_formed(text: str) -> None:
    page = _Page(text)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {str(link["href"]).removeprefix("#") for link in page.all("a")}
    assert links <= set(ids)
    assert {"photo-to-sketch", "sketch-to-photo", "claims", "use"} <= set(ids)
    assert links == {"failures"}


def test_nothing_comes_from_elsewhere_and_only_its_own_lines_run(text: str) -> None:
    page = _Page(text)
    assert page.all("link", "iframe", "object", "embed") == []
    assert page.all("script") == [{}]
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert re.findall(r"https?://|url\((?!#)|@import|src=\"(?!data:)", text) == []


def _done(folder: Path) -> list[Cell]:
    study = Study.read(folder)
    return [cell for cell in study.cells if study.done(cell)]


def test_pictures_are_small_and_described(folder: Path, text: str) -> None:
    images = _Page(text).all("img")
    results = [name for cell in _done(folder) for name in cell.results.values()]
    assert len(results) >= 21 + 4
    assert len(images) == 2 + len(results)  # overviews, every result
    for image in images:
        assert len(str(image["alt"])) > 20
        data = base64.b64decode(str(image["src"]).removeprefix("data:image/webp;base64,"))
        with Image.open(io.BytesIO(data)) as picture:
            assert (str(picture.width), str(picture.height)) == (image["width"], image["height"])
            assert picture.width <= 1400
    assert len(text) < 4 << 20


def test_charts_are_text_in_the_colours_of_the_page(folder: Path, text: str) -> None:
    charts = [attributes for attributes in _Page(text).all("svg") if attributes.get("class") == "chart"]
    named = [cell for cell in _done(folder) if not cell.built and not family(cell.method).exemplars]
    more = sum(2 if family(cell.method).both_ways else 1 for cell in named)  # a GAN has a chart for either side
    assert more >= 4
    assert len(charts) == 2 + 12 + 4 + 2 + 2 + more  # costs, autoencoders, pix2pix, cyclegan, matches, and the named
    assert all(chart["aria-label"] for chart in charts)
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert ">epoch</text>" in drawn
    assert "var(--five)" in drawn
    assert re.findall(r"#[0-9a-f]{6}", drawn) == []


def test_headings_are_in_order_and_tables_named(text: str) -> None:
    page = _Page(text)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(page.all("caption")) == len(page.all("table")) > 10
    assert all(head.get("scope") in {"col", "row"} for head in page.all("th"))


def test_every_result_and_every_failure_is_there(folder: Path, text: str) -> None:
    study = Study.read(folder)
    for cell in study.cells:
        for name in cell.results.values():
            assert f">{name}<" in text or name in {FAILED, MISSING}
    assert f'<th scope="row">{FAILED}</th><td class="words">out of memory; type --batch-size 4</td>' in text
    assert f'<th scope="row">{MISSING}</th><td class="words">not done yet</td>' in text
    assert "facesketch models fetch vgg16" in text
    assert "only 12 &lt;people&gt;" in text


def test_what_the_study_only_names_is_marked_where_it_is_ranked(folder: Path, text: str) -> None:
    marked = set(re.findall(r'<th scope="row">([^<]*)<span class="dagger">', text))
    assert marked == {cell.label for cell in _done(folder) if not cell.built}
    assert text.count("† named by the study, not built by it.") == 2


def test_the_seven_claims_are_judged(text: str) -> None:
    assert re.findall(r"<h3>(\d)\. ", text) == list("1234567")
    assert "no result of conv-ae-bce.sketch2photo" in text


def test_it_says_how_to_do_it_again(folder: Path, text: str, tmp_path: Path, fabricate: Fabricate) -> None:
    assert f"<code>facesketch study faces --out {folder.name} --preset quick</code>" in text
    part = fabricate(tmp_path / "part", only=["conv-ae-mse", "cyclegan"], seeds=2)
    names = " ".join(cell.name for cell in plan("quick", only=["conv-ae-mse", "cyclegan"], seeds=2))
    page = build_report(part).read_text(encoding="utf-8")
    assert f"<code>facesketch study faces --out part --preset quick --seeds 2 --only {names}</code>" in page
    assert ">cyclegan.seed1.photo2sketch<" in page
    assert "CAE (MSE), photo to sketch, seed 1" in page


def planned(folder: Path, **changes: object) -> Path:
    """Write something else into a study's plan."""
    plan_file = folder / "plan.json"
    plan_file.write_text(json.dumps(json.loads(plan_file.read_text()) | changes))
    return folder


def test_what_to_type_can_be_pasted(tmp_path: Path, fabricate: Fabricate) -> None:
    folder = planned(fabricate(tmp_path / "my study", only=["pencil"]), data="/data/old faces")
    page = html.unescape(build_report(folder).read_text(encoding="utf-8"))
    assert "<code>facesketch study 'old faces' --out 'my study' --preset quick --only pencil</code>" in page


def test_metrics_are_named_if_they_are_not_the_presets(tmp_path: Path, fabricate: Fabricate) -> None:
    folder = fabricate(tmp_path / "study", only=["pencil"])
    told = "<code>facesketch study faces --out study --preset quick --metrics ssim,lpips-alex --only pencil</code>"
    assert told in build_report(planned(folder, metrics=["ssim", "lpips-alex"])).read_text(encoding="utf-8")
    assert "--metrics" not in build_report(planned(folder, metrics=PRESETS["quick"].metrics)).read_text(
        encoding="utf-8"
    )


def test_it_says_by_what_the_models_are_ranked(text: str) -> None:
    assert "Models are ranked by FSIM. Shaded: baselines." in text


def test_a_deleted_report_comes_back_the_same(folder: Path, text: str) -> None:
    (folder / "report.html").unlink()
    before = sorted(path for path in folder.rglob("*") if path.is_file())
    assert build_report(folder) == folder / "report.html"
    assert (folder / "report.html").read_text(encoding="utf-8") == text
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == sorted([*before, folder / "report.html"])


def test_results_alone_make_a_report(tmp_path: Path, fabricate: Fabricate) -> None:
    folder = fabricate(tmp_path / "study", only=["pencil", "conv-vae-4"])
    for path in [*folder.glob("runs/**/*"), *folder.glob("pictures/**/*"), folder / "samples.png"]:
        if path.is_file():
            path.unlink()
    text = build_report(folder).read_text(encoding="utf-8")
    _Page(text)
    assert "There are no pictures" in text
    assert "There are no training logs" in text
    assert 'href="#failures"' not in text
    assert 'id="search"' in text


def test_an_empty_study_says_what_to_type(tmp_path: Path, fabricate: Fabricate) -> None:
    folder = fabricate(tmp_path / "study", only=["pencil"], missing=["pencil"])
    with pytest.raises(DataError, match="no cell has finished"):
        build_report(folder)
    assert not (folder / "report.html").exists()
    with pytest.raises(DataError, match="holds no study"):
        build_report(tmp_path / "nothing")


def test_what_is_missing_is_said_first(text: str, tmp_path: Path, fabricate: Fabricate) -> None:
    cells = len(plan("quick"))
    assert f"{cells - 2} of {cells} planned cells are done, 1 failed" in text
    assert "planned cells" not in build_report(fabricate(tmp_path / "study", only=["pencil"])).read_text(
        encoding="utf-8"
    )


def test_the_verb_names_the_file(tmp_path: Path, fabricate: Fabricate, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fabricate(tmp_path / "study", only=["pencil"])
    verb(folder)
    assert capsys.readouterr().out == f"{folder / 'report.html'}\n"
    verb(folder, out=tmp_path / "page.html")
    assert capsys.readouterr().out == f"{tmp_path / 'page.html'}\n"
    assert (tmp_path / "page.html").read_bytes() == (folder / "report.html").read_bytes()
