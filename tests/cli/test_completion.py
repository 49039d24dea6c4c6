"""`facesketch completion`: what bash offers after Tab."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_ASK = r"""
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_facesketch
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["tr"], {"train", "translate"}),
        (["search", "q"], {"query"}),
        (["translate", "--wei"], {"--weights"}),
        (["train", "--precision", ""], {"auto", "fp32", "bf16"}),
    ],
)
def test_bash_offers_commands_options_and_values(
    typed: list[str], offered: set[str], command: Callable[..., Any], tmp_path: Path
) -> None:
    answer = command("completion", "bash")
    assert (answer.code, answer.err) == (0, "")
    script = tmp_path / "completion"
    script.write_text(answer.out)
    done = subprocess.run(
        ["bash", "-c", _ASK, "bash", str(script), "facesketch", *typed], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == offered, done


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell"])
def test_other_shells_get_a_script_of_their_own(shell: str, command: Callable[..., Any]) -> None:
    answer = command("completion", shell)
    assert answer.code == 0
    assert "translate" in answer.out
    assert "precision" in answer.out


def test_an_unknown_shell_is_one_line(refused: Callable[..., str]) -> None:
    assert "bash" in refused("completion", "tcsh")
