from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

from facesketch.config import MethodConfig, RunConfig
from facesketch.methods.families import FAMILIES
from facesketch.methods.networks.blocks import count_parameters
from facesketch.methods.registry import build, resolve


@pytest.fixture(scope="module")
def every() -> dict[str, Any]:
    """Return what is told of all methods; counting their parameters takes a while."""
    command = [sys.executable, "-m", "facesketch", "methods", "--json", "--size", "64"]
    told: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return told


def test_json_tells_all_there_is_to_know(command: Callable[..., Any]) -> None:
    answer = command("methods", "--json")
    assert (answer.code, answer.err) == (0, "")
    rows = json.loads(answer.out)
    assert list(rows) == list(FAMILIES)
    for name, row in rows.items():
        kind = FAMILIES[name]
        parameters = 0
        if kind.learned:
            with torch.device("meta"):
                parameters = count_parameters(build(resolve(RunConfig(method=MethodConfig(name=name)))))
        assert row["parameters"] == parameters
        assert row["directions"] == list(kind.directions)
        assert row["options"] == list(kind.model_fields)
        assert (row["title"], row["learned"], row["both_at_once"]) == (kind.title, kind.learned, kind.both_ways)
        assert row["pairs"] == ("paired" if kind.paired else "unpaired")
        assert row["summary"].endswith(".")


def test_options_that_no_command_takes_are_not_listed(command: Callable[..., Any]) -> None:
    assert "--sigma" not in command("methods", "pencil").out
    assert "--styles (names, separated by commas)" in command("methods", "portrait").out


def test_the_table_lists_every_method_with_its_count(command: Callable[..., Any]) -> None:
    rows = json.loads(command("methods", "--json").out)
    answer = command("methods")
    assert answer.code == 0
    for name, row in rows.items():
        (line,) = [line for line in answer.out.splitlines() if line.strip().startswith(f"{name} ")]
        assert f"{row['parameters']:,}" in line


def test_counts_follow_the_size(command: Callable[..., Any]) -> None:
    small, large = (json.loads(command("methods", "--json", "--size", size).out) for size in (64, 256))
    assert small["dense-ae"]["parameters"] < large["dense-ae"]["parameters"]
    assert small["cyclegan"]["parameters"] == large["cyclegan"]["parameters"]
    assert 9_700_000 < large["conv-ae"]["parameters"] < 9_800_000


@pytest.mark.parametrize("name", FAMILIES)
def test_a_method_tells_its_options_and_defaults(name: str, command: Callable[..., Any]) -> None:
    answer = command("methods", name)
    assert answer.code == 0
    for option, field in FAMILIES[name].model_fields.items() if FAMILIES[name].learned else ():
        (line,) = [line for line in answer.out.splitlines() if f"--{option.replace('_', '-')} " in line]
        assert f"default {field.default}" in line
    defaults = FAMILIES[name].defaults
    told = f"{defaults.epochs} epochs at batch size {defaults.batch_size}" in " ".join(answer.out.split())
    assert told == FAMILIES[name].learned


@pytest.mark.parametrize("name", FAMILIES)
def test_json_tells_one_method_too(name: str, command: Callable[..., Any], every: dict[str, Any]) -> None:
    answer = command("methods", name, "--json", "--size", 64)
    assert (answer.code, answer.err) == (0, "")
    row = json.loads(answer.out)
    kind = FAMILIES[name]
    assert row["name"] == name
    assert {key: row[key] for key in every[name] if key != "options"} == {
        key: value for key, value in every[name].items() if key != "options"
    }
    assert list(row["options"]) == every[name]["options"]
    for option, field in kind.model_fields.items():
        assert row["options"][option]["default"] == json.loads(json.dumps(field.default, default=str))
    assert row["defaults"].get("epochs") == (kind.defaults.epochs if kind.learned else None)


def test_json_lists_choices(command: Callable[..., Any]) -> None:
    options = json.loads(command("methods", "conv-ae", "--json").out)["options"]
    assert options["loss"] == {"values": "mse|mae|bce|ssim", "default": "mse"}


def test_an_unknown_method_is_refused(refused: Callable[..., str]) -> None:
    assert refused("methods", "cyclegun").startswith("unknown method 'cyclegun'; did you mean 'cyclegan'?")


@pytest.mark.parametrize("size", [0, -5, 15, 5000])
def test_a_size_that_cannot_be_is_refused(size: int, refused: Callable[..., str]) -> None:
    assert "size" in refused("methods", "--size", size)


def test_the_smallest_size_lists_what_it_can(command: Callable[..., Any]) -> None:
    assert command("methods", "--size", 32).code == 0
