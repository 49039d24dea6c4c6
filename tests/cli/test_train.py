"""`facesketch train`: every setting is a flag and a TOML key, and every mistake is one line."""

from __future__ import annotations

import resource
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facesketch.cli.main import app
from facesketch.config import SECTIONS, RunConfig
from facesketch.methods.families import FAMILIES
from facesketch.training import state, trainer
from facesketch.training.log import read_log
from facesketch.training.state import Training

SMALL = ["--size", "32", "--batch-size", "4", "--epochs", "1", "--device", "cpu", "--precision", "fp32"]
DENSE = ["dense-ae", "--hidden", "8", "--latent", "4", *SMALL]
OWN = {"data", "out", "direction", "config", "resume", "quiet"}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, arrange: Callable[..., Path]) -> Path:
    return arrange(tmp_path_factory.mktemp("cli-train") / "pairs")


def _flags() -> set[str]:
    arguments = app["train"].assemble_argument_collection()
    names = {name for argument in arguments if argument.show for name in argument.names if name.startswith("--")}
    return {name.removeprefix("--").replace("-", "_") for name in names if not name.startswith(("--no-", "--["))}


def test_every_setting_is_a_flag_and_every_flag_a_setting() -> None:
    settings = {key for section in SECTIONS.values() for key in section.model_fields}
    assert _flags() - OWN == settings
    assert set(RunConfig.model_fields) == {"method", "direction", *SECTIONS}
    assert sum(len(section.model_fields) for section in SECTIONS.values()) == len(settings), "no two share a name"


@pytest.mark.parametrize("name", FAMILIES)
def test_no_option_of_a_method_hides_a_setting(name: str) -> None:
    assert not set(FAMILIES[name].model_fields) & _flags()


def test_pictures_much_smaller_than_the_frame_are_reported(
    pairs: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    with Image.open(next((pairs / "photos").iterdir())) as photo:
        side = max(photo.size)
    wide = [str(side * 2) if flag == "32" else flag for flag in DENSE]
    said = command("train", *wide, "--direction", "sketch2photo", "--data", pairs, "--out", tmp_path / "run").err
    assert f"a size of {side} learns the same" in said
    assert "padding" in said


def test_flags_make_a_run_and_say_what_came_of_it(pairs: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    run = tmp_path / "run"
    flags = ["--direction", "sketch2photo", "--no-flip", "--rotate", "2", "--loss", "mae", "--schedule", "linear"]
    answer = command("train", *DENSE, "--data", pairs, "--out", run, *flags)
    assert (answer.code, answer.out) == (0, "")
    assert "8 pairs to train on, 2 to validate on, 2 to test on" in answer.err
    assert f"{run}: best at epoch 1 of 1" in answer.err
    assert f"facesketch translate PICTURE --model {run}" in answer.err
    assert "padding" not in answer.err, "the pictures fill the frame"
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["direction"] == "sketch2photo"
    assert config["method"] == {"name": "dense-ae", "loss": "mae", "hidden": 8, "latent": 4}
    assert (config["augment"]["flip"], config["augment"]["rotate"]) == (False, 2.0)
    assert (config["train"]["schedule"], config["train"]["epochs"]) == ("linear", 1)


def test_quiet_says_nothing(pairs: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    answer = command("train", *DENSE, "--data", pairs, "--out", tmp_path / "run", "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_a_file_gives_what_the_flags_leave_open(pairs: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(
        f"""direction = "sketch2photo"
        [method]
        name = "dense-ae"
        hidden = 8
        [data]
        folder = '{pairs}'
        size = 32
        [train]
        epochs = 50
        batch_size = 4
        device = "cpu"
        """
    )
    run = tmp_path / "run"
    answer = command("train", "--config", settings, "--out", run, "--steps", "1", "--latent", "3", "--quiet")
    assert answer.code == 0, answer.err
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["method"] | {"hidden": 8, "latent": 3} == config["method"]
    assert (config["direction"], config["data"]["size"], config["train"]["batch_size"]) == ("sketch2photo", 32, 4)
    assert config["train"]["steps"] == 1
    assert "epochs" not in config["train"], "a length given now replaces the file's"


def test_a_run_s_own_file_makes_the_same_run_again(pairs: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    assert command("train", *DENSE, "--data", pairs, "--out", first, "--quiet").code == 0
    assert command("train", "--config", first / "config.toml", "--out", again, "--quiet").code == 0
    assert (first / "weights.safetensors").read_bytes() == (again / "weights.safetensors").read_bytes()


def test_resume_needs_nothing_else(pairs: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    run = tmp_path / "run"
    assert command("train", *DENSE, "--data", pairs, "--out", run, "--quiet").code == 0
    before = (run / "weights.safetensors").read_bytes()
    answer = command("train", "--resume", run)
    assert (answer.code, (run / "weights.safetensors").read_bytes()) == (0, before)
    assert "best at epoch 1 of 1" in answer.err
    assert command("train", "--resume", run, "--epochs", "2", "--quiet").code == 0
    assert [line["epoch"] for line in read_log(run / "log.jsonl") if line["event"] == "epoch"] == [1, 2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["conv-ae", "--lossy", "mae"], "unknown option --lossy; did you mean '--loss'"),
        (["conv-ae", "--epoch", "3"], "unknown option --epoch; did you mean '--epochs'"),
        (["conv-ae", "--batchsize", "3"], "unknown option --batchsize; did you mean '--batch-size'"),
        (["pix2pix", "--l1-wait", "3"], "unknown option --l1-wait; did you mean '--l1-weight'"),
        (["conv-ae", "--xyzzy", "3"], "unknown option --xyzzy; type: facesketch train --help"),
        (["conv-ae", "--loss", "lpips"], "conv-ae: loss = 'lpips': input should be 'mse', 'mae', 'bce' or 'ssim'"),
        (["conv-vae", "--latent", "many"], "conv-vae: latent = 'many': input should be a valid integer"),
        (["conv-vae", "--latent", "0"], "conv-vae: latent = '0': input should be greater than or equal to 1"),
        (["pix2pix", "--loss", "mse"], "--loss is an option of dense-ae, conv-ae"),
        (["pix2pix", "--latent", "4"], "--latent is an option of dense-ae, conv-vae, cogan, not of pix2pix"),
        (["pix3pix"], "unknown method 'pix3pix'; did you mean 'pix2pix'"),
        (["pencil"], "pencil needs no training; translate with it directly"),
        (["conv-ae", "--epochs", "2", "--steps", "3"], "epochs and steps both set the length; give only one"),
        (["conv-ae", "--epochs", "0"], "epochs = '0': input should be greater than or equal to 1"),
        (["conv-ae", "--epochs", "two"], "epochs = 'two': input should be a valid integer"),
        (["conv-ae", "--rotate", "nan"], "rotate"),
        (["conv-ae", "--direction", "photo2photo"], "--direction"),
        (["conv-ae", "--photo-channels", "2"], "photo_channels = '2': input should be 1 or 3"),
        (["conv-ae", "--size", "8"], "size = '8': input should be greater than or equal to 16"),
        (["pix2pix", "--size", "16"], "size = 16: the patch discriminator needs at least 32 pixels"),
        (["conv-ae", "--device", "tpu"], "device = 'tpu': input should be 'auto', 'cpu', 'cuda' or 'mps'"),
        (["conv-ae", "--layout", "sideways"], "--layout 'sideways'"),
        ([], "no method named; type one of the names that 'facesketch methods' lists"),
        (["conv-ae", "extra"], "extra"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    words: list[str], said: str, pairs: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    assert said in refused("train", *words, "--data", pairs, "--out", tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_mistakes_about_places_are_one_line_and_leave_nothing(
    pairs: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    out = ["--out", tmp_path / "run"]
    assert "missing" in refused("train", *DENSE, "--data", tmp_path / "missing", *out)
    assert "no pairs" in refused("train", *DENSE, "--data", tmp_path / "empty", *out)
    assert "file" in refused("train", *DENSE, "--data", tmp_path / "file", *out)
    assert "give their folder with --data" in refused("train", *DENSE, *out)
    assert "no folder for the run; give one with --out" in refused("train", *DENSE, "--data", pairs)
    line = refused("train", *DENSE, "--data", pairs, "--out", tmp_path / "file" / "run")
    assert "cannot be written (not a directory); give an --out in a folder you may write to" in line
    assert "is a file; give a folder" in refused("train", *DENSE, "--data", pairs, "--out", tmp_path / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]


def test_a_picture_that_cannot_be_read_is_named(
    arrange: Callable[..., Path], tmp_path: Path, refused: Callable[..., str]
) -> None:
    folder = arrange(tmp_path / "pairs")
    bad = next((folder / "sketches").glob("train-*"))
    bad.write_bytes(bad.read_bytes()[:200])
    line = refused("train", *DENSE, "--data", folder, "--out", tmp_path / "run", "--quiet")
    assert str(bad) in line
    assert "damaged or cut short" in line


def test_a_folder_that_holds_a_run_is_refused(
    pairs: Path, tmp_path: Path, refused: Callable[..., str], command: Callable[..., Any]
) -> None:
    run = tmp_path / "run"
    assert command("train", *DENSE, "--data", pairs, "--out", run, "--quiet").code == 0
    line = refused("train", "conv-ae", *SMALL, "--data", pairs, "--out", run)
    assert line == f"{run}: already holds a run; go on with --resume {run}, or give another --out"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[train]\nepoch = 3", "unknown key 'train.epoch'; did you mean 'epochs'"),
        ("[trian]\nepochs = 3", "unknown key 'trian'; did you mean 'train'"),
        ("[train]\nepochs = 'three'", "train.epochs = 'three'"),
        ("[train]\nsize = 128", "unknown key 'train.size'; it belongs in the section [data]"),
        ("[method]\nepochs = 3", "unknown key 'epochs'; it belongs in the section [train]"),
        ("epochs = 3", "unknown key 'epochs'; it belongs in the section [train]"),
        (f"[train]\nseed = {'1' * 5000}", "not TOML"),
        ("[train]\nepochs = 3\nsteps = 3", "epochs and steps both set the length"),
        ("[method]\nlossy = 'mae'", "unknown key 'lossy'; did you mean 'loss'"),
        ("[method]\nname = 3", "method.name = 3"),
        ("train = 3", "train = 3; expected a section of keys, [train]"),
        ("method = 3", "method = 3; expected a section of keys, [method]"),
        ("data = [1, 2]", "data = [1, 2]; expected a section of keys, [data]"),
        ("[augment]\nrotate = nan", "augment.rotate = nan"),
        ("epochs = ", "not TOML"),
        ("\xff", "not TOML"),
    ],
)
def test_mistakes_in_a_file_are_one_line(
    text: str, said: str, pairs: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(text)
    words = ["--config", settings, "--data", pairs, "--out", tmp_path / "run"]
    method = [] if text.startswith("[method]\nname") else ["conv-ae"]
    assert said in refused("train", *method, *words)
    if not method:
        assert said in refused("train", *words, "--hidden", "3")
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, refused: Callable[..., str]) -> None:
    line = refused("train", "conv-ae", "--config", tmp_path / "none.toml", "--out", tmp_path / "run")
    assert "none.toml: cannot be read" in line
    assert "none.toml: cannot be read" in refused(
        "train", "--config", tmp_path / "none.toml", "--out", "run", "--x", "1"
    )


def test_resuming_takes_no_other_settings(
    pairs: Path, tmp_path: Path, refused: Callable[..., str], command: Callable[..., Any]
) -> None:
    assert "not a run" in refused("train", "--resume", tmp_path)
    run = tmp_path / "run"
    assert command("train", *DENSE, "--data", pairs, "--out", run, "--quiet").code == 0
    for words, name in (
        (["--batch-size", "2"], "--batch-size"),
        (["--size", "64"], "--size"),
        (["--hidden", "3"], "--hidden"),
        (["--out", "x"], "--out"),
        (["--direction", "sketch2photo"], "--direction"),
        (["pix2pix"], "pix2pix"),
    ):
        line = refused("train", "--resume", run, *words)
        assert line == f"--resume uses the run's own settings; leave out {name}"
    assert "epochs and steps both" in refused("train", "--resume", run, "--epochs", "3", "--steps", "5")
    (run / "state.ckpt").write_text("damaged")
    line = refused("train", "--resume", run, "--epochs", "2", "--quiet")
    assert "state.ckpt: damaged or not a training state of facesketch" in line


def test_a_full_disk_is_one_line(
    pairs: Path, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def keep(*_: object) -> None:
        monkeypatch.setattr("os.fsync", full)
        real(*_)

    real = state.keep
    monkeypatch.setattr(trainer, "keep", keep)
    line = refused("train", *DENSE, "--data", pairs, "--out", tmp_path / "run", "--quiet")
    assert line.endswith("the disk is full; free some space or give another --out")
    assert not list((tmp_path / "run").rglob("*.part"))


def test_a_state_that_finds_no_room_is_one_line(pairs: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))  # no file can grow beyond this, as on a full disk
    try:
        line = refused("train", *DENSE, "--data", pairs, "--out", tmp_path / "run", "--quiet")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be written (file too large)" in line
    assert not list((tmp_path / "run").rglob("*.part"))


def test_an_interrupted_training_can_be_resumed(
    pairs: Path, tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, words = tmp_path / "run", ["dense-ae", "--hidden", "8", "--size", "32", "--batch-size", "4", "--steps", "9"]
    real = state.keep

    def keep(training: Training) -> None:
        real(training)
        if training.position.step == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "keep", keep)
    answer = command("train", *words, "--checkpoint-seconds", "0", "--data", pairs, "--out", run, "--quiet")
    assert (answer.code, answer.out, answer.err) == (130, "", "facesketch: stopped\n")
    assert not list(run.rglob("*.part"))
    monkeypatch.setattr(trainer, "keep", real)
    assert command("train", "--resume", run, "--quiet").code == 0
    assert [line["step"] for line in read_log(run / "log.jsonl") if line["event"] == "step"] == list(range(1, 10))
