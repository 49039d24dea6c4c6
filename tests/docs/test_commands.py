"""What README and docs tell people to type works: README's commands are run, those of the docs are parsed."""

from __future__ import annotations

import io
import re
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image

from facesketch.cli.main import app, main
from facesketch.data.synthetic.draw import write_sample
from facesketch.images.io import open_image

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHORTER = {
    "--pairs 40 --size 128": "--pairs 6 --size 64",
    "--size 128 --epochs 20": "--epochs 1 --size 32 --width 4",
    "--epochs 20": "--epochs 1 --size 32 --width 4",
    "epochs=100": "epochs=1, size=32",
    "--pairs 40": "--pairs 6 --size 64",
    "--preset standard": "--preset quick --only pencil",
    "--epochs 40": "--epochs 2",
    "epochs=20, size=128": "epochs=1, size=32",
    "epochs = 100": "epochs = 1",
    "size = 128": "size = 32",
    "--config settings.toml --out runs/second --epochs 20": "--config settings.toml --out runs/second",
    "--size 250 --faces --epochs 20": "--size 48 --faces --epochs 1 --perceptual none",
}
"""What the test puts in place of a command's own length, so that it ends in seconds."""


def blocks(page: Path, language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [text for named, text in fenced if named == language]


def commands(page: Path) -> list[str]:
    indented = re.findall(r"^    (facesketch .*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [
        line.strip() for block in blocks(page, "") + blocks(page, "bash") for line in block.splitlines()
    ] + indented
    return [line for line in lines if line.startswith("facesketch ")]


def run(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command, _, target = line.partition(" > ")
    command, _, source = command.partition(" < ")
    if source:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path(source.strip()).read_bytes())))
    if target:
        written = io.BytesIO()
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, write_through=True))
    main(shlex.split(command)[1:])
    if target:
        Path(target.strip()).write_bytes(written.getvalue())
        monkeypatch.undo()


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as README supposes it: pairs, a picture of one's own, and a folder of pictures."""
    monkeypatch.chdir(tmp_path)
    write_sample(tmp_path / "pairs", pairs=9, size=64, seed=3)
    photo = open_image(tmp_path / "pairs" / "photos" / "face-0001.png")
    photo.convert("RGB").resize((90, 75)).save(tmp_path / "me.jpg")
    (tmp_path / "docs" / "pictures").mkdir(parents=True)
    shutil.copyfile(ROOT / "docs" / "pictures" / "astronaut.jpg", tmp_path / "docs" / "pictures" / "astronaut.jpg")
    (tmp_path / "holiday").mkdir()
    photo.save(tmp_path / "holiday" / "beach.png")
    return tmp_path


def shortened(line: str) -> str:
    longest = sorted(SHORTER, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest)), lambda found: SHORTER[found[0]], line)


def test_readme_names_commands() -> None:
    verbs = {command.split()[1] for command in commands(ROOT / "README.md")}
    assert {"data", "methods", "train", "translate", "evaluate", "compare", "study", "report"} <= verbs
    assert {"search", "serve"} <= verbs


@pytest.mark.slow
def test_readme_commands_run(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in commands(ROOT / "README.md"):
        if line.startswith("facesketch compare"):
            continue  # run below, where what it needs is there
        if line.startswith(("facesketch search", "facesketch serve")):
            continue  # the first need larger faces and are run in test_search.py, the other in tests/serve
        run(shortened(line), monkeypatch)
    main(["evaluate", "pencil", "--data", "pairs", "--out", "second.json"])
    main(["compare", "first.json", "second.json"])
    for made in ("sketch.png", "photo.png", "me-sketch.png", "runs/first/best.safetensors", "first.json"):
        assert (workplace / made).exists(), made
    assert (workplace / "study" / "report.html").exists()


@pytest.mark.slow
def test_readme_python_runs(workplace: Path) -> None:
    import facesketch

    facesketch.train("pix2pix", "runs/first", data="pairs", epochs=1, size=32, width=4, quiet=True)
    for block in blocks(ROOT / "README.md", "python"):
        exec(compile(shortened(block), "README.md", "exec"), {})
    with Image.open(workplace / "me-sketch.png") as sketch:
        assert sketch.size == (400, 500), "a portrait, as the command writes it"
    assert (workplace / "runs" / "second" / "best.safetensors").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["quick-start", "train", "fine-tune", "compare", "export", "translation"])
def test_guides_run_from_top_to_bottom(name: str, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs" / f"{name}.md"
    if name == "export":
        main(shlex.split("train pix2pix --data pairs --out runs/first --epochs 1 --size 32 --width 4 --quiet"))
    elif name == "compare":
        main(shlex.split("train dense-ae --data pairs --out runs/first --epochs 1 --size 32 --hidden 4 --quiet"))
        main(shlex.split("translate pairs/photos --model pencil --out drawn"))
    elif name in {"quick-start", "train"}:
        shutil.rmtree(workplace / "pairs")  # the page draws its own
    for block in blocks(page, "toml"):
        (workplace / "settings.toml").write_text(shortened(block), encoding="utf-8")
    for line in commands(page):
        if not any(words in line for words in ("models fetch", "--runner ray", "hub:")):  # no network
            run(shortened(line), monkeypatch)
            monkeypatch.chdir(workplace)
    (workplace / "we.jpg").write_bytes(two_faces(workplace / "me.jpg"))
    for block in blocks(page, "python"):
        exec(compile(shortened(block), page.name, "exec"), {})


def two_faces(photo: Path) -> bytes:
    """Return a JPEG that shows a face twice."""
    with Image.open(photo) as one:
        both = Image.new("RGB", (2 * one.width, one.height), "white")
        both.paste(one, (0, 0))
        both.paste(one, (one.width, 0))
    written = io.BytesIO()
    both.save(written, "JPEG")
    return written.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_commands_parse(page: Path) -> None:
    for line in commands(page):
        tokens = shlex.split(line.split(" > ")[0].split(" < ")[0])[1:]
        tokens = ["1" if token in {"N", "S", "K"} else token for token in tokens if token not in {"…", "[--all]"}]
        app.parse_args(tokens, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
