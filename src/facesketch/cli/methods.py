"""`facesketch methods`: the families of models that you can train."""

from __future__ import annotations

import ast
import inspect
from importlib.util import find_spec
from itertools import pairwise
from textwrap import dedent
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from facesketch.cli.console import console, print_json, say, table

if TYPE_CHECKING:
    from facesketch.config import RunConfig


def methods(
    name: str | None = None, /, *, size: int = 256, json: Annotated[bool, Parameter(negative="")] = False
) -> None:
    """List the families of models, or the options of one.

    Args:
        name: A method, to see its own options.
        size: Frame size in pixels at which parameters are counted; counting needs PyTorch.
        json: Print a JSON object instead of a table; with a method's name, its options and their defaults.
    """
    from facesketch.methods.families import FAMILIES
    from facesketch.methods.registry import family, list_methods

    if name is not None:
        found = family(name)
        if json:
            options = {
                option: {"values": _choices(field), "default": field.default}
                for option, field in found.model_fields.items()
            }
            own = {each: getattr(found.defaults, each) for each in ("epochs", "batch_size", "learning_rate")}
            print_json(
                {"name": name} | _row(name, size) | {"options": options, "defaults": own if found.learned else {}}
            )
        else:
            _print_options(name, found)
        return
    rows = {each: _row(each, size) for each in list_methods() if each in FAMILIES or find_spec("torch")}
    if json:
        print_json(rows)
    else:
        _print_table(rows)


def _row(name: str, size: int) -> dict[str, Any]:
    from facesketch.config import configure
    from facesketch.methods.registry import family, resolve

    found = family(name)
    config = resolve(configure(name, {"size": size}))
    return {
        "title": found.title,
        "summary": (found.__doc__ or "").splitlines()[0],
        "directions": list(found.directions),
        "both_at_once": found.both_ways,
        "pairs": "paired" if found.paired else "unpaired",
        "learned": found.learned,
        "parameters": _parameters(config) if found.learned else 0,
        "study": found.study,
        "options": list(found.model_fields),
    }


def _parameters(config: RunConfig) -> int | None:
    """Count the numbers that are learned; None where there is no PyTorch to build the networks with."""
    if find_spec("torch") is None:
        return None
    import torch

    from facesketch.methods.networks.blocks import count_parameters
    from facesketch.methods.registry import build

    with torch.device("meta"):
        return count_parameters(build(config))


def _print_table(rows: dict[str, dict[str, Any]]) -> None:
    titles = ("method", "what it is", "directions", "learns from", "parameters", "study")
    shown = table(*titles, numbers=("parameters",))
    for name, row in rows.items():
        directions = "both at once" if row["both_at_once"] else " or ".join(row["directions"])
        learns = row["pairs"] if row["learned"] else "nothing"
        counted = "–" if row["parameters"] is None else f"{row['parameters']:,}"
        shown.add_row(name, row["title"], directions, learns, counted, "yes" if row["study"] else "no")
    console().print(shown)
    say("To see a method's options: facesketch methods NAME. To train it: facesketch train NAME --data DIR --out RUN")


def _print_options(name: str, found: Any) -> None:
    lines, defaults = [f"{name}: {(found.__doc__ or '').splitlines()[0]}"], found.defaults
    if found.learned:
        lines.append(
            f"By default it trains for {defaults.epochs} epochs at batch size {defaults.batch_size} "
            f"and learning rate {defaults.learning_rate:g}."
        )
    told = _docstrings(found)
    for option, field in found.model_fields.items() if found.learned else ():
        flag, about = f"--{option.replace('_', '-')}", field.description or told.get(option, "")
        lines.append(f"  {flag} ({_choices(field)}) default {field.default}" + (f"\n      {about}" if about else ""))
    say(*lines)


def _docstrings(found: Any) -> dict[str, str]:
    """Return what stands below each option; pydantic would read all sources at each start of a command."""
    told: dict[str, str] = {}
    for each in reversed(found.__mro__[:-1]):
        definition: Any = ast.parse(dedent(inspect.getsource(each))).body[0]
        for option, text in pairwise(definition.body):
            if isinstance(option, ast.AnnAssign) and isinstance(text, ast.Expr):
                told[ast.unparse(option.target)] = inspect.cleandoc(ast.literal_eval(text.value))
    return told


def _choices(field: Any) -> str:
    from typing import Literal, get_args, get_origin

    if get_origin(field.annotation) is Literal:
        return "|".join(str(choice) for choice in get_args(field.annotation))
    if get_origin(field.annotation) is tuple:
        return "names, separated by commas"
    return getattr(field.annotation, "__name__", "path")
