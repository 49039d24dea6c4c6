from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cyclopts
import pytest

from facesketch.cli.evaluate import evaluate
from facesketch.data.index import index
from facesketch.data.split import split
from facesketch.data.synthetic.draw import write_sample
from facesketch.errors import ConfigError, DataError
from facesketch.evaluation.results import Results

app = cyclopts.App()
app.command(evaluate)


@pytest.fixture(autouse=True)
def plain(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path_factory.mktemp("no-weights")))
    for name in ("FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "sample"
    write_sample(folder, pairs=14, size=32, seed=2)
    return folder


def call(*tokens: str | Path) -> None:
    app(["evaluate", *map(str, tokens)], result_action="return_value", exit_on_error=False, print_error=False)


def test_the_table_says_what_was_measured_on_whom(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results.json"
    call("pencil", "--data", sample, "--metrics", "psnr, ssim,rank", "--protocol", "cufs", "--out", out)
    shown, results = capsys.readouterr().out, Results.load(out)
    assert re.search(r"^pencil +photo2sketch$", shown, re.MULTILINE)
    assert f"protocol cufs, test split: {len(results.stems)} pictures of {len(results.stems)} subjects" in shown
    assert f"warning: cufs expects 268/338, found {14 - len(results.stems)}/{len(results.stems)}" in shown
    assert f"sha256 of the stems {results.stems_hash}" in shown
    assert f"written: {out} and results.csv" in shown.replace("\n", "")
    assert (tmp_path / "results.csv").is_file()
    assert max(map(len, shown.splitlines()[5:-1])) <= 120


def test_every_number_stands_beside_its_baselines(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("pencil", "--data", sample, "--metrics", "ssim", "--out", tmp_path / "results.json")
    lines, results = capsys.readouterr().out.splitlines(), Results.load(tmp_path / "results.json")
    place = next(number for number, line in enumerate(lines) if line.startswith("SSIM ↑"))
    measure = results.metrics["ssim"]
    rows = [measure, *(baseline.metrics["ssim"] for baseline in results.baselines.values())]
    assert len(rows) == 5
    values = re.findall(r"\d\.\d{3}\*?", lines[place])
    ends = re.findall(r"\[([\d.]+), ([\d.]+)\]", lines[place + 1])
    assert [float(value.rstrip("*")) for value in values] == pytest.approx([row.value for row in rows], abs=6e-4)
    assert [value.endswith("*") for value in values] == [False, *(row.value >= measure.value for row in rows[1:])]
    assert [(float(low), float(high)) for low, high in ends] == [
        pytest.approx((row.low, row.high), abs=6e-4) for row in rows
    ]


def test_what_is_left_out_is_printed_with_the_way_to_get_it(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("pencil", "--data", sample, "--metrics", "ssim,lpips-vgg,frechet-vgg16")
    shown = capsys.readouterr().out
    assert "left out: lpips-vgg, frechet-vgg16\n" in shown
    assert "facesketch models fetch vgg16" in shown


def test_pictures_of_others_are_measured(sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results.json"
    call(
        "--images",
        sample / "sketches",
        "--data",
        sample,
        "--direction",
        "photo2sketch",
        "--metrics",
        "ssim",
        "--out",
        out,
    )
    assert Results.load(out).metrics["ssim"].value == 1
    assert re.search(r"^SSIM ↑ +1\.000 ", capsys.readouterr().out, re.MULTILINE)


def test_translated_pictures_are_kept(sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("pencil", "--data", sample, "--metrics", "psnr", "--pictures", tmp_path, "--split", "validation")
    expected = {pair.stem for pair in split(index(sample).pairs).validation}
    assert {path.name for path in tmp_path.iterdir()} == {f"{stem}.png" for stem in expected}
    assert "validation split" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tokens", "line"),
    [
        ((), "neither a model nor pictures; give a run folder, a model file or 'pencil', or else"),
        (("pencil", "--images", "x"), r"a model \(pencil\) and `images` x"),
        (("--images", "x"), "`images` needs a direction"),
        (("--images", "x", "--direction", "photo2sketch", "--pictures", "y"), "leave it out with `images`"),
        (("pencil", "--seed", "-1"), "seed = -1"),
        (("pencil", "--out", "table.csv"), r"such as table\.json"),
        (("pencil", "--metrics", ","), "--metrics is empty"),
        (("pencil", "--metrics", "simm"), "did you mean 'ssim'"),
        (("pencil", "--direction", "sketch2photo"), "not sketch2photo"),
        (("pencil", "--protocol", "cuffs"), "did you mean 'cufs'"),
    ],
)
def test_mistakes_end_in_one_line(sample: Path, tokens: tuple[str, ...], line: str) -> None:
    with pytest.raises(ConfigError, match=line) as caught:
        call(*tokens, "--data", sample)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "place", "said"),
    [
        ("--pictures", "photos", "holds pictures of `data`"),
        ("--pictures", "PHOTOS/../sketches", "holds pictures of `data`"),
        ("--pictures", ".", "holds pictures of `data`"),
        ("--out", "pairs.json", r"would write .*pairs\.csv, a file of `data`"),
        ("--out", "photos/face-0001.png", r"would write .*face-0001\.png, a file of `data`"),
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_the_data_is_never_written_over(
    listed: bool, option: str, place: str, said: str, sample: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(sample, tmp_path / "data")
    (data / "PHOTOS").mkdir(exist_ok=True)
    if not listed:
        (data / "pairs.csv").unlink()
    before = contents(data)
    with pytest.raises(ConfigError, match=said) as caught:
        call("pencil", "--data", data, "--metrics", "ssim", option, data / place)
    assert "\n" not in str(caught.value)
    assert contents(data) == before


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_annotations_are_never_written_over(sample: Path, tmp_path: Path) -> None:
    for kind, folder in (("photo", "photos"), ("sketch", "sketches")):
        (tmp_path / kind).mkdir()
        for number, path in enumerate(sorted((sample / folder).iterdir())):
            (tmp_path / kind / f"{kind}1").mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / kind / f"{kind}1" / f"{'image' if kind == 'photo' else kind}{number:04}.png")
    notes = tmp_path / "anno_test.json"
    notes.write_text(json.dumps([{"image_name": f"photo1/image{number:04}"} for number in range(5)]))
    before = contents(tmp_path)
    with pytest.raises(ConfigError, match=r"would write .*anno_test\.json, a file of `data`"):
        call("pencil", "--data", tmp_path, "--metrics", "ssim", "--out", notes)
    assert contents(tmp_path) == before


def test_pictures_of_others_are_data_where_links_lead_to_them(sample: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(sample / "sketches", tmp_path / "elsewhere")
    shutil.copytree(sample / "photos", data / "photos")
    (data / "sketches").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="holds pictures of `data`"):
        call("pencil", "--data", data, "--metrics", "ssim", "--pictures", tmp_path / "elsewhere")


def test_results_may_lie_among_the_data_and_be_made_again(sample: Path, tmp_path: Path) -> None:
    data = shutil.copytree(sample, tmp_path / "data")
    for _ in range(2):
        call("pencil", "--data", data, "--metrics", "ssim", "--out", data / "r.json", "--pictures", data / "made")
    assert Results.load(data / "r.json").metrics["ssim"]


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ("ms-ssim", "ms-ssim: 32x32 pictures; it needs at least 161x161"),
        ("lpips-alex", "lpips-alex: .*facesketch models fetch alexnet"),
        ("lpips-alex,ms-ssim", "lpips-alex: .*; ms-ssim: 32x32 pictures"),
        ("fsimc", "fsimc: the true pictures are grey"),
        ("nlda", "nlda: [0-9] subjects?; half of at least 20"),
    ],
)
def test_nothing_to_measure_is_a_mistake(metrics: str, said: str, sample: Path, tmp_path: Path) -> None:
    places = ("--out", tmp_path / "results.json", "--pictures", tmp_path / "pictures")
    with pytest.raises(ConfigError, match=f"every metric asked for is left out; {said}") as caught:
        call("pencil", "--data", sample, "--metrics", metrics, *places)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_missing_pictures_are_one_line(sample: Path, tmp_path: Path) -> None:
    shutil.copy(sample / "sketches" / "face-0001.png", tmp_path)
    with pytest.raises(DataError, match=r"test pictures are missing \("):
        call("--images", tmp_path, "--data", sample, "--direction", "photo2sketch")


@pytest.mark.parametrize("out", [".", "/", "there"])
def test_results_need_a_name(
    out: str, faces: Path, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    line = refused("evaluate", "pencil", "--data", faces, "--metrics", "psnr", "--out", out)
    assert line == f"{out}: is a folder; give the name of a file in it"
    assert refused("report", faces, "--out", out) == line
