"""What holds for every file of the project."""

from __future__ import annotations

import ast
import functools
import itertools
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import facesketch

_ROOT = Path(__file__).resolve().parents[1]
_SOURCES = sorted((_ROOT / "src").rglob("*.py"))
_PYTHON = [*_SOURCES, *sorted((_ROOT / "tests").rglob("*.py")), *sorted((_ROOT / "benchmarks").rglob("*.py"))]
_FORBIDDEN_WORDS = {"utils", "util", "helpers", "helper", "common", "manager"}
_PICKLING = {"pickle", "cpickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _words(name: str) -> set[str]:
    """Split `snake_case` and `CamelCase` into lower-case words."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def _definitions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node


def _imported(tree: ast.AST) -> Iterator[str]:
    """Name the imported packages; the exception by which torch.load refuses a file may be had from pickle."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and [alias.name for alias in node.names] != ["UnpicklingError"]:
            yield (node.module or "").partition(".")[0]


def _unsafe_loads(tree: ast.AST) -> list[str]:
    """List the calls that would run code hidden in a file: torch.load or numpy.load told, or left, to unpickle."""
    found = []
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module == "torch"
            and any(name.name == "load" for name in node.names)
        ):
            found.append(f"line {node.lineno}: import torch and call torch.load, so that this test sees it")
        if not isinstance(node, ast.Call):
            continue
        call = ast.unparse(node.func)
        given = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if call == "torch.load" and given.get("weights_only") != "True":
            found.append(f"line {node.lineno}: torch.load without weights_only=True")
        if call in {"np.load", "numpy.load"} and given.get("allow_pickle", "False") != "False":
            found.append(f"line {node.lineno}: numpy.load that unpickles")
    return found


def test_there_are_sources_to_look_at() -> None:
    assert _ROOT / "src/facesketch/images/io.py" in _SOURCES
    assert len(_PYTHON) > len(_SOURCES) > 10


SUBPACKAGES = {
    *("checkpoints", "cli", "data", "evaluation", "faces", "images", "inference", "methods", "metrics", "search"),
    *("serve", "study", "training", "weights"),
}
FILES = {
    "__init__.py",
    "__main__.py",
    "config.py",
    "devices.py",
    "errors.py",
    "files.py",
    "plugins.py",
    "py.typed",
    "testing.py",
}


def test_the_package_holds_its_subpackages_and_nothing_else() -> None:
    there = {path.name for path in (_ROOT / "src/facesketch").iterdir() if path.name != "__pycache__"}
    assert there == SUBPACKAGES | FILES


def _modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    names = {path: [*path.relative_to(_ROOT / "src").with_suffix("").parts] for path in _SOURCES}
    return {".".join(parts[:-1] if parts[-1] == "__init__" else parts): path for path, parts in names.items()}


def _uses(modules: dict[str, Path], name: str) -> set[str]:
    """Name the modules of the package that a module imports, be it at its top or inside a function."""
    found = set()
    for node in ast.walk(_tree(modules[name])):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (whole & modules.keys()) or {node.module}
    return (found & modules.keys()) - {name}


def _circle(uses: dict[str, set[str]]) -> list[str]:
    """Return modules that import each other in a circle; empty where there is no circle."""
    left = dict(uses)
    while True:
        free = {name for name, needed in left.items() if not needed & left.keys()}
        if not free:
            return sorted(left)
        left = {name: needed for name, needed in left.items() if name not in free}


def test_no_two_files_import_each_other() -> None:
    modules = _modules()
    assert _circle({name: _uses(modules, name) for name in modules}) == []


def test_a_circle_is_seen() -> None:
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c", "d"]
    assert _circle({"a": {"b"}, "b": set()}) == []


def test_names_say_what_is_inside() -> None:
    for path in _SOURCES:
        parts = path.relative_to(_ROOT / "src").with_suffix("").parts
        names = [*parts, *(node.name for node in _definitions(_tree(path)))]
        assert [name for name in names if _words(name) & _FORBIDDEN_WORDS] == [], path


def test_every_module_says_what_it_is_for() -> None:
    assert [path for path in _SOURCES if not ast.get_docstring(_tree(path))] == []


def test_nothing_read_from_a_file_is_run() -> None:
    for path in _SOURCES:
        assert _PICKLING.isdisjoint(name.lower() for name in _imported(_tree(path))), path
        assert _unsafe_loads(_tree(path)) == [], path


@pytest.mark.parametrize(
    "code",
    [
        "import torch\ntorch.load('x')",
        "torch.load('x', weights_only=False)",
        "torch.load('x', weights_only=trusted)",
        "from torch import load",
        "np.load('x', allow_pickle=True)",
    ],
)
def test_unsafe_loads_are_seen(code: str) -> None:
    assert _unsafe_loads(ast.parse(code))
    assert not _unsafe_loads(ast.parse("torch.load('x', weights_only=True); np.load('x')"))


_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_TYPED = re.compile(r"facesketch [a-z][a-z ]* --[a-z]")
_FLAGS_ALLOWED: dict[str, set[str]] = {
    "evaluation/publish.py": {"--model", "--out"},  # the card of a shared model shows the command
    "training/trainer.py": {"--precision", "--resume"},
}


def _flags(path: Path) -> set[str]:
    """Return the command-line flags that a file of the package names, be it in a message or in a docstring."""
    if path.suffix == ".py":
        texts = [node.value for node in ast.walk(_tree(path)) if isinstance(node, ast.Constant)]
        return {flag for text in texts if isinstance(text, str) for flag in _FLAG.findall(text)}
    try:
        return set(_TYPED.findall(path.read_text(encoding="utf-8")))
    except UnicodeDecodeError:  # weights
        return set()


def test_only_the_command_line_names_its_flags() -> None:
    package = _ROOT / "src/facesketch"
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    named = {str(path.relative_to(package)): _flags(path) for path in files}
    outside = {name: flags - _FLAGS_ALLOWED.get(name, set()) for name, flags in named.items() if name[:4] != "cli/"}
    assert {name: flags for name, flags in outside.items() if flags} == {}


def test_only_files_py_parses_json_and_only_table_py_reads_csv() -> None:
    parsers = {"json.load", "json.loads", "csv.reader", "csv.DictReader"}
    found = {
        (str(path.relative_to(_ROOT / "src/facesketch")), ast.unparse(node.func))
        for path in _SOURCES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in parsers
    }
    assert found == {("files.py", "json.loads"), ("data/table.py", "csv.reader")}


@pytest.mark.parametrize("module", ["facesketch", "facesketch.config", "facesketch.errors", "facesketch.files"])
def test_importing_costs_no_torch_and_writes_nothing(module: str, tmp_path: Path) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = json.loads(run.stdout)
    assert module in loaded
    assert {"torch", "numpy", "PIL", "lightning_fabric", "cv2", "matplotlib"}.isdisjoint(loaded)
    assert list(tmp_path.iterdir()) == []


def test_every_public_name_is_there() -> None:
    missing = [name for name in facesketch.__all__ if getattr(facesketch, name, None) is None]
    assert missing == []
    assert dir(facesketch) == sorted(facesketch.__all__)
    with pytest.raises(AttributeError, match="no attribute 'sketchify'"):
        _ = facesketch.sketchify


@functools.cache
def _project() -> dict[str, Any]:
    return tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _required() -> list[Requirement]:
    project = _project()
    extras = project["project"].get("optional-dependencies", {})
    wanted = [line for lines in extras.values() for line in lines]
    lines = [*project["project"]["dependencies"], *wanted, *itertools.chain(*project["dependency-groups"].values())]
    return [requirement for line in lines if (requirement := Requirement(line)).name != "facesketch"]


def test_what_ships_is_complete() -> None:
    metadata = _project()["project"]
    assert "version" in metadata["dynamic"], "the version stands in one place, the package itself"
    assert (_ROOT / "src/facesketch/py.typed").is_file()
    for name in (metadata["readme"], *metadata["license-files"], "CHANGELOG.md", "CONTRIBUTING.md"):
        assert (_ROOT / name).stat().st_size > 0, name
    assert f"## [{facesketch.__version__}]" in (_ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_exact_build_fits_what_is_required() -> None:
    lines = (_ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    exact = {canonicalize_name(name): version for name, version in pins.items()}
    for requirement in _required():
        version = exact.get(canonicalize_name(requirement.name))
        assert version is not None, f"constraints.txt does not name {requirement.name}"
        assert requirement.specifier.contains(version), f"constraints.txt: {requirement} is pinned to {version}"


@pytest.mark.parametrize("name", ["make test", "make demo", "make check"])
def test_the_commands_that_readers_are_told_to_type_exist(name: str) -> None:
    told = [path.read_text(encoding="utf-8") for path in (_ROOT / "README.md", _ROOT / "CONTRIBUTING.md")]
    assert any(name in text for text in told)
    target = name.removeprefix("make ")
    assert re.search(rf"^{target}:", (_ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
