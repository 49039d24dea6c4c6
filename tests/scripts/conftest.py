"""The scripts are not part of the package, so these fixtures load them from their files."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

_SCRIPTS = Path(__file__).parents[2] / "scripts"

Run = Callable[..., str]


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """Return a function that loads a script without running it."""

    def read(name: str) -> ModuleType:
        found = importlib.util.spec_from_file_location(f"script_{name}", _SCRIPTS / f"{name}.py")
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        sys.modules[module.__name__] = module  # where dataclasses look up what their fields are
        found.loader.exec_module(module)
        return module

    return read


@pytest.fixture
def run_script(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs a script with arguments and returns what it printed."""

    def run(name: str, *arguments: object) -> str:
        monkeypatch.syspath_prepend(_SCRIPTS)  # as Python does: a script may import those beside it
        monkeypatch.setattr("sys.argv", [f"{name}.py", *(str(word) for word in arguments)])
        capsys.readouterr()
        script(name).main()
        return capsys.readouterr().out

    return run
