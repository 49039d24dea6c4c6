"""`facesketch translate`: files, folders and pipes; what is bad is named, what is there is kept."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facesketch import load, train
from facesketch.cli.main import main
from facesketch.images.io import open_image

PENCIL = ["--model", "pencil", "--device", "cpu"]


def _picture(path: Path, size: tuple[int, int] = (40, 30), seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def _tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_picture(tmp_path: Path, command: Callable[..., Any]) -> None:
    picture, out = _picture(tmp_path / "in.png"), tmp_path / "made" / "out.png"
    answer = command("translate", picture, *PENCIL, "--out", out)
    assert (answer.code, answer.out, answer.err) == (0, "", "1 translated\n")
    with Image.open(out) as result:
        assert np.array_equal(np.asarray(result), np.asarray(load("pencil")(picture)))


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif", ".bmp", ".PNG"])
def test_the_name_decides_the_format(suffix: str, tmp_path: Path, command: Callable[..., Any]) -> None:
    out = tmp_path / f"out{suffix}"
    assert command("translate", _picture(tmp_path / "in.png"), *PENCIL, "--out", out, "--quiet").code == 0
    with Image.open(out) as result:
        assert result.format == {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:].upper())


def test_a_folder_is_mirrored_and_continued(tmp_path: Path, command: Callable[..., Any]) -> None:
    for number, name in enumerate(("a.png", "deep/b.jpg", "deep/er/c.bmp")):
        _picture(tmp_path / "in" / name, seed=number)
    before = _tree(tmp_path / "in")
    words = ["translate", tmp_path / "in", *PENCIL, "--out", tmp_path / "out"]
    assert command(*words).err == "3 translated\n"
    made = _tree(tmp_path / "out")
    assert set(made) == {"a.png", "deep/b.png", "deep/er/c.png"}
    (tmp_path / "out" / "a.png").unlink()
    (tmp_path / "out" / "deep" / "b.png").write_bytes(b"kept")
    assert command(*words).err == "1 translated, 2 already done\n"
    assert _tree(tmp_path / "out") == {**made, "deep/b.png": b"kept"}
    assert command(*words, "--overwrite").err == "3 translated\n"
    assert _tree(tmp_path / "out") == made
    assert _tree(tmp_path / "in") == before


def test_inputs_are_never_overwritten(tmp_path: Path, refused: Callable[..., str]) -> None:
    picture = _picture(tmp_path / "in" / "a.png")
    before = picture.read_bytes()
    for words in ([picture, "--out", picture], [tmp_path / "in", "--out", tmp_path / "in", "--overwrite"]):
        assert "is one of the inputs and is never overwritten; give another --out" in refused(
            "translate", *words, *PENCIL
        )
    assert picture.read_bytes() == before


def test_a_bad_picture_among_good_ones_is_left_out(tmp_path: Path, command: Callable[..., Any]) -> None:
    _picture(tmp_path / "in" / "a.png")
    _picture(tmp_path / "in" / "c.png")
    (tmp_path / "in" / "b.png").write_text("text")
    answer = command("translate", tmp_path / "in", *PENCIL, "--out", tmp_path / "out")
    assert (answer.code, answer.out) == (1, "")
    bad, done = answer.err.splitlines()
    assert bad.startswith(f"left out: {tmp_path / 'in' / 'b.png'}: not a picture that can be read")
    assert done == "2 translated, 1 left out"
    assert set(_tree(tmp_path / "out")) == {"a.png", "c.png"}
    quiet = command("translate", tmp_path / "in", *PENCIL, "--out", tmp_path / "out", "--overwrite", "--quiet")
    assert (quiet.code, len(quiet.err.splitlines())) == (1, 1), "what is bad is told even quietly"


def test_bad_pictures_only(tmp_path: Path, command: Callable[..., Any]) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text("text")
    answer = command("translate", tmp_path / "in", *PENCIL, "--out", tmp_path / "out")
    assert answer.code == 2
    assert answer.err.splitlines()[-1] == "facesketch: no picture was translated: all were left out"
    assert not (tmp_path / "out").exists()


def _text(path: Path) -> None:
    path.write_text("this is text")


def _one_pixel(path: Path) -> None:
    Image.new("RGB", (1, 1)).save(path)


def _cut(path: Path) -> None:
    _picture(path)
    path.write_bytes(path.read_bytes()[:300])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (_text, "not a picture that can be read"),
    "one pixel": (_one_pixel, "1x1 is too small to hold a face; expected at least 8x8"),
    "cut short": (_cut, "damaged or cut short"),
    "empty": (lambda path: path.touch(), "the file is empty"),
    "missing": (lambda path: None, "no such file"),
    "svg": (lambda path: path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>"), "not a picture"),
}


@pytest.mark.parametrize("kind", BAD)
def test_the_only_picture_is_bad(kind: str, tmp_path: Path, refused: Callable[..., str]) -> None:
    path, (make, said) = tmp_path / "in.png", BAD[kind]
    make(path)
    before = _tree(tmp_path)
    line = refused("translate", path, *PENCIL, "--out", tmp_path / "out.png")
    assert line.startswith(str(path))
    assert said in line
    assert _tree(tmp_path) == before


def test_mistakes_are_one_line(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "empty").mkdir()
    picture = _picture(tmp_path / "a.png")
    out = ["--out", tmp_path / "out.png"]
    assert "no such model file" in refused("translate", picture, "--model", tmp_path / "none", *out)
    assert "no such model file" in refused("translate", picture, "--model", "pencl", *out)
    assert "no weights.safetensors in this folder" in refused("translate", picture, "--model", tmp_path / "empty", *out)
    assert "damaged, incomplete or not a model file" in refused("translate", picture, "--model", picture, *out)
    assert "no pictures in this folder" in refused("translate", tmp_path / "empty", *PENCIL, "--out", tmp_path / "o")
    assert "not sketch2photo" in refused("translate", picture, *PENCIL, *out, "--direction", "sketch2photo")
    assert "cannot be written" in refused("translate", picture, *PENCIL, "--out", picture / "out.png")
    assert "type --suffix .png, .jpg" in refused(
        "translate", picture, *PENCIL, "--out", tmp_path / "o", "--suffix", "jpg"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "empty"]


def test_an_output_that_is_no_picture_is_a_folder(tmp_path: Path, command: Callable[..., Any]) -> None:
    assert command("translate", _picture(tmp_path / "a.jpg"), *PENCIL, "--out", tmp_path / "out", "--quiet").code == 0
    assert set(_tree(tmp_path / "out")) == {"a.png"}


def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = _picture(tmp_path / "a.png")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    line = refused("translate", picture, *PENCIL, "--out", tmp_path / "out.png")
    assert line == f"{tmp_path / 'out.png'}: the disk is full; free some space or give another --out"
    assert set(_tree(tmp_path)) == {"a.png"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_nothing_is_written_beside_a_device(tmp_path: Path) -> None:
    before = {path.name for path in Path("/dev").iterdir()}
    with pytest.raises(SystemExit):
        main(["translate", str(_picture(tmp_path / "a.png")), *PENCIL, "--out", "/dev/full"])
    assert {path.name for path in Path("/dev").iterdir()} == before


# Pipes


def _piped(words: list[object], content: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[int, bytes]:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out, write=lambda text: None, flush=lambda: None))
    try:
        main([str(word) for word in words])
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_dashes_are_pipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = _picture(tmp_path / "in.jpg")
    expected = np.asarray(load("pencil")(picture))
    content = picture.read_bytes()
    code, out = _piped(["translate", "-", *PENCIL, "--out", "-"], content, monkeypatch)
    with Image.open(io.BytesIO(out)) as result:
        assert (code, result.format) == (0, "PNG")
        assert np.array_equal(np.asarray(result), expected)
    code, again = _piped(["translate", picture, *PENCIL, "--out", "-"], b"", monkeypatch)
    assert (code, again) == (0, out)
    code, nothing = _piped(["translate", "-", *PENCIL, "--out", tmp_path / "out.png"], content, monkeypatch)
    assert (code, nothing) == (0, b"")
    with Image.open(tmp_path / "out.png") as result:
        assert np.array_equal(np.asarray(result), expected)


@pytest.mark.parametrize("content", [b"text", b"\x89PNG\r\n\x1a\n"])
def test_rubbish_through_a_pipe_is_one_line(
    content: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = _piped(["translate", "-", *PENCIL, "--out", "-"], content, monkeypatch)
    assert (code, out) == (2, b"")
    said = capsys.readouterr().err
    assert said.startswith("facesketch: picture: ")
    assert len(said.splitlines()) == 1


def test_a_pipe_holds_one_picture(tmp_path: Path, refused: Callable[..., str]) -> None:
    line = refused("translate", "-", _picture(tmp_path / "a.png"), *PENCIL, "--out", tmp_path / "out")
    assert line == "'-' stands for one picture, but 2 inputs were given; give one, or a folder with --out"


@pytest.mark.slow
def test_real_pipes(tmp_path: Path) -> None:
    picture = _picture(tmp_path / "in.png")
    command = [sys.executable, "-m", "facesketch", "translate", "-", *PENCIL, "--out", "-"]
    done = subprocess.run(command, input=picture.read_bytes(), capture_output=True, check=True)
    with Image.open(io.BytesIO(done.stdout)) as result:
        assert np.array_equal(np.asarray(result), np.asarray(load("pencil")(picture)))
    assert done.stderr == b""


# Models


def test_best_or_last_weights_of_a_run(
    arrange: Callable[..., Path], tmp_path: Path, command: Callable[..., Any]
) -> None:
    small = {"size": 32, "batch_size": 4, "hidden": 8, "latent": 4, "device": "cpu", "learning_rate": 0.05}
    run = train("dense-ae", tmp_path / "run", data=arrange(tmp_path / "pairs"), epochs=4, quiet=True, **small)
    (run / "best.safetensors").write_bytes((run / "weights.safetensors").read_bytes())
    train("dense-ae", tmp_path / "other", data=tmp_path / "pairs", epochs=1, quiet=True, **small)
    (run / "weights.safetensors").write_bytes((tmp_path / "other" / "weights.safetensors").read_bytes())
    picture = _picture(tmp_path / "a.png")
    for flags, weights in (([], "best"), (["--weights", "best"], "best"), (["--weights", "last"], "weights")):
        out = tmp_path / "out.png"
        assert command("translate", picture, "--model", run, "--out", out, *flags, "--quiet").code == 0
        with Image.open(out) as result:
            expected = load(run / f"{weights}.safetensors")(picture)
            assert np.array_equal(np.asarray(result), np.asarray(expected))


def test_native_resolution_is_refused_where_it_cannot_be(
    arrange: Callable[..., Path], tmp_path: Path, refused: Callable[..., str]
) -> None:
    small = {"size": 32, "batch_size": 4, "hidden": 4, "latent": 2, "device": "cpu"}
    run = train("dense-ae", tmp_path / "run", data=arrange(tmp_path / "pairs"), steps=1, quiet=True, **small)
    picture = _picture(tmp_path / "a.png")
    words = ["translate", picture, "--model", run, "--out", tmp_path / "out.png", "--resolution", "native"]
    assert "this network has a fixed size of 32; leave out --resolution native" in refused(*words)
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ["in/a.png", "--out", "x.txt"],
            "x.txt: cannot write a '.txt' picture; name it .png, .jpg, .webp or .tif, or ",
        ),
        (["in/a.png", "in/b.png", "--out", "x.png"], "x.png: named like a file; give a folder"),
        (["in", "--out", "x.jpg"], "x.jpg: named like a file; give a folder"),
        (["https://example.org/me.jpg", "--out", "x.png"], "addresses are not fetched; save "),
    ],
)
def test_places_that_cannot_be_meant(
    given: list[str],
    said: str,
    tmp_path: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("a.png", "b.png"):
        _picture(tmp_path / "in" / name)
    monkeypatch.chdir(tmp_path)
    assert refused("translate", *given, *PENCIL).startswith(said)
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


def test_a_folder_may_be_called_like_a_version(tmp_path: Path, command: Callable[..., Any]) -> None:
    picture = _picture(tmp_path / "a.png")
    (tmp_path / "there.txt").mkdir()
    for name in ("results.2026", "there.txt"):
        assert command("translate", picture, *PENCIL, "--out", tmp_path / name).code == 0
        assert (tmp_path / name / "a.png").exists()


def test_a_named_pipe_is_refused_with_what_to_type(tmp_path: Path, refused: Callable[..., str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    line = refused("translate", tmp_path / "pipe", *PENCIL, "--out", tmp_path / "out.png")
    assert line.startswith(f"{tmp_path / 'pipe'}: is a pipe; type `-`")


def test_an_empty_pipe(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "facesketch", "translate", "-", *PENCIL, "--out", str(tmp_path / "x.png")]
    done = subprocess.run(words, input=b"", capture_output=True, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert done.stderr.startswith(b"facesketch: standard input is empty; expected a picture, as in: ")


def test_a_model_that_learned_colours_takes_them(
    faces: Path, tmp_path: Path, command: Callable[..., Any], refused: Callable[..., str]
) -> None:
    run, file, sketch = tmp_path / "run", tmp_path / "small.onnx", next((faces / "sketches").iterdir())
    small = ["--width", 4, "--blocks", 0, "--discriminator-width", 4, "--perceptual", "none", "--size", 64]
    learn = ["--direction", "sketch2photo", "--faces", "--colours", "skin,hair,background", "--steps", 3, "--quiet"]
    assert command("train", "portrait", "--data", faces, "--out", run, *learn, *small).code == 0
    assert command("export", run, "--out", file).code == 0

    def drawn(model: Path, *colours: object) -> np.ndarray:
        out = tmp_path / "photo.png"
        assert command("translate", sketch, "--model", model, "--no-align", "--out", out, *colours).code == 0
        with Image.open(out) as picture:
            return np.asarray(picture, dtype=int)

    given = ("--skin", 5, "--hair", "black", "--background", "#1e90ff")
    plain, coloured = drawn(file), drawn(file, *given)
    assert (plain != coloured).any()
    assert np.abs(drawn(run, *given) - coloured).max() <= 1
    assert drawn(file, "--variants").shape == (plain.shape[0], 3 * plain.shape[1], 3)
    said = refused("translate", sketch, "--model", file, "--no-align", "--out", tmp_path / "x.png", "--hair", "blackk")
    assert "--hair" in said


def test_a_model_without_colours_refuses_them(faces: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    photo, words = next((faces / "photos").iterdir()), ("--no-align", "--direction", "photo2sketch")
    for given in (("--skin", 5), ("--variants",)):
        assert "takes no colours" in refused("translate", photo, *words, "--out", tmp_path / "x.png", *given)


def test_what_is_no_colour_is_refused_whatever_the_picture_shows(
    faces: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    for side in ("photos", "sketches"):
        picture, out = next((faces / side).iterdir()), tmp_path / "x.png"
        assert "--hair 'blakc': not a colour" in refused("translate", picture, "--out", out, "--hair", "blakc")


def test_the_packages_own_photos_have_the_colours_asked_for(
    faces: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    sketch, words = next((faces / "sketches").iterdir()), ("--no-align", "--direction", "sketch2photo")
    light = {}
    for skin in ("2", "9"):
        out = tmp_path / f"{skin}.png"
        assert command("translate", sketch, *words, "--out", out, "--skin", skin).code == 0
        light[skin] = np.asarray(open_image(out).convert("L"), dtype=float).mean()
    assert light["2"] > light["9"] + 5
