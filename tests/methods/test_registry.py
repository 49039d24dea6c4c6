"""Methods by name: those of the package, and those that other distributions bring as entry points."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import facesketch
from facesketch.errors import ConfigError
from facesketch.methods.registry import METHODS, family, list_methods

PLUGIN = '''
from facesketch.methods.families import Defaults
from facesketch.methods.pix2pix import Pix2Pix, Pix2PixOptions

class Options(Pix2PixOptions):
    """Pix2Pix as I like it."""
    title = "Mine"
    defaults = Defaults(epochs=3, batch_size=2, learning_rate=1e-3)
    l1_weight: float = 7.0

class Mine(Pix2Pix):
    Options = Options
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a distribution on the path as pip installs one, with a method, a broken one, and a name that is taken."""
    info = tmp_path / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    points = "mine = plugin_of_mine:Mine\nbroken = nowhere:Nothing\npix2pix = plugin_of_mine:Mine\n"
    (info / "entry_points.txt").write_text(f"[facesketch.methods]\n{points}")
    (tmp_path / "plugin_of_mine.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("plugin")
def test_entry_points_bring_methods() -> None:
    assert list_methods() == [*METHODS, "broken", "mine"]
    model = facesketch.create_model("mine", size=32, width=4)
    assert (type(model).__name__, model.options.model_dump()["l1_weight"]) == ("Mine", 7.0)
    assert family("pix2pix").title == "Pix2Pix", "a name of the package stays the package's"
    with pytest.raises(ConfigError, match="method 'broken': nowhere:Nothing cannot be imported"):
        facesketch.create_model("broken")


def test_the_command_line_lists_and_trains_them(plugin: Path, arrange: Any) -> None:
    (plugin / "mine-1.0.dist-info" / "entry_points.txt").write_text(
        "[facesketch.methods]\nmine = plugin_of_mine:Mine\n"
    )
    pairs, out = arrange(plugin / "pairs"), plugin / "run"
    command = f"from facesketch.cli.main import main; main({['train', 'mine', '--data', str(pairs), '--out', str(out)]}"
    words = ["--steps", "1", "--size", "32", "--width", "4", "--l1-weight", "3", "--quiet"]
    code = f"import sys; sys.path.insert(0, {str(plugin)!r}); {command} + {words}); main(['methods'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Mine" in done.stdout
    assert "l1_weight = 3.0" in (out / "config.toml").read_text()
    assert "batch_size = 2" in (out / "config.toml").read_text()


def test_a_created_model_translates() -> None:
    model = facesketch.create_model("pix2pix", width=4, size=32, direction="sketch2photo").eval()
    assert model.translate(torch.zeros(1, 1, 32, 32), "sketch2photo").shape == (1, 3, 32, 32)


def test_naming_methods_imports_no_torch() -> None:
    code = "import facesketch, sys; print(facesketch.list_methods()); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'pencil'" in done.stdout
