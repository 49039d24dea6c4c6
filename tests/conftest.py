"""What every test may ask for: the shared research data when it is there, and a few synthetic pairs."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from facesketch.cli.main import main
from facesketch.data.pairs import SIDES
from facesketch.data.synthetic.draw import write_sample
from facesketch.devices import processors

os.environ.setdefault("OMP_NUM_THREADS", str(processors()))  # by what else runs, trainings that are compared may differ
KINDS = ("photos", "sketches")


def _shared_folder() -> Path | None:
    named = os.environ.get("FACESKETCH_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    return folder if (folder / "data").is_dir() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of research data and weights, or skip."""
    folder = _shared_folder()
    if folder is None:
        pytest.skip("no research data: set FACESKETCH_SHARED to its folder")
    return folder


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 12 synthetic pairs, 64x64; no test may write into it."""
    folder = tmp_path_factory.mktemp("data") / "faces"
    write_sample(folder, pairs=12, size=64, seed=0)
    return folder


@pytest.fixture(scope="session")
def arrange(faces: Path) -> Callable[..., Path]:
    """Return what copies the pairs into a folder of their own, so many for each side: `arrange(folder, train=8, …)`."""

    def copy(folder: Path, *, train: int = 8, validation: int = 2, test: int = 2) -> Path:
        photos, sketches = (sorted(path for path in faces.rglob("*.png") if path.parent.name == kind) for kind in KINDS)
        sides = [side for side, count in zip(SIDES, (train, validation, test), strict=True) for _ in range(count)]
        rows = []
        for side, photo, sketch in zip(sides, photos, sketches, strict=False):
            places = [f"{kind}/{side}-{photo.stem}.png" for kind in KINDS]
            for source, place in zip((photo, sketch), places, strict=True):
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, folder / place)
            rows.append([photo.stem, photo.stem, *places, side])
        with (folder / "pairs.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["stem", "subject", "photo", "sketch", "split"], *rows])
        return folder

    return copy


@dataclass(frozen=True)
class Answer:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Return what runs the command line in this process: `command("train", "pix2pix", …)`."""

    def run(*words: object) -> Answer:
        capsys.readouterr()
        code: object = 0
        try:
            main([str(word) for word in words])
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        return Answer(code if isinstance(code, int) else 0 if code is None else 1, said.out, said.err)

    return run


@pytest.fixture
def refused(command: Callable[..., Answer]) -> Callable[..., str]:
    """Return what runs a command that must fail as a user's mistake does, and gives the one line that it said."""

    def run(*words: object) -> str:
        answer = command(*words)
        assert (answer.code, answer.out) == (2, ""), answer
        assert answer.err.startswith("facesketch: ")
        assert answer.err.endswith("\n")
        assert len(answer.err.splitlines()) == 1, answer.err
        return answer.err.removeprefix("facesketch: ").rstrip("\n")

    return run
