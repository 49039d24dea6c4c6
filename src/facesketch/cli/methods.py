"""`facesketch methods`: what there is to train."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from facesketch.cli.output import print_json

if TYPE_CHECKING:
    from facesketch.config import RunConfig


def methods(name: str | None = None, /, *, size: int = 256, json: bool = False) -> None:
    """List the families of models, or the options of one.

    Parameters
    ----------
    name
        A method, to see its own options.
    size
        Pixels of the frame that parameters are counted at, where PyTorch is installed.
    json
        Print a JSON object instead of a table; of one method with its options and their defaults.
    """
    from facesketch.methods.families import FAMILIES, family

    if name is not None:
        kind = family(name)
        if json:
            print_json({"name": name} | _row(name, size) | _details(kind))
        else:
            _print_options(name, kind)
        return
    rows = {each: _row(each, size) for each in FAMILIES}
    if json:
        print_json(rows)
    else:
        _print_table(rows)


def _row(name: str, size: int) -> dict[str, Any]:
    from facesketch.config import configure
    from facesketch.methods.families import FAMILIES, resolve

    kind = FAMILIES[name]
    config = resolve(configure(name, {"size": size}))
    return {
        "title": kind.title,
        "summary": (kind.__doc__ or "").splitlines()[0],
        "directions": list(kind.directions),
        "both_at_once": kind.both_ways,
        "pairs": "paired" if kind.paired else "unpaired",
        "learned": kind.learned,
        "parameters": _parameters(config) if kind.learned else 0,
        "study": kind.study,
        "options": list(kind.Options.model_fields),
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


def _details(kind: Any) -> dict[str, Any]:
    """Return what is told of one method alone: how it trains by itself, and each option by its name."""
    fields, defaults = kind.Options.model_fields, kind.defaults
    options = {option: {"values": _choices(field), "default": field.default} for option, field in fields.items()}
    training = {name: getattr(defaults, name) for name in ("epochs", "batch_size", "learning_rate")}
    return {"options": options, "defaults": training if kind.learned else {}}


def _print_table(rows: dict[str, dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("method", "what it is", "directions", "learns from", "parameters", "study"):
        table.add_column(column, justify="right" if column == "parameters" else "left")
    for name, row in rows.items():
        directions = "both at once" if row["both_at_once"] else " or ".join(row["directions"])
        learns = row["pairs"] if row["learned"] else "nothing"
        study = "yes" if row["study"] else "no"
        counted = "–" if row["parameters"] is None else f"{row['parameters']:,}"
        table.add_row(name, row["title"], directions, learns, counted, study)
    console = Console(highlight=False)
    console.print(table)
    console.print("Options of one: facesketch methods NAME. Train one: facesketch train NAME --data DIR --out RUN")


def _print_options(name: str, kind: Any) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(f"[bold]{name}[/bold]: {(kind.__doc__ or '').splitlines()[0]}")
    defaults = kind.defaults
    if kind.learned:
        console.print(
            f"By itself it trains {defaults.epochs} epochs, batch size {defaults.batch_size}, "
            f"learning rate {defaults.learning_rate:g}."
        )
    for option, field in kind.Options.model_fields.items():
        flag = "--" + option.replace("_", "-")
        console.print(f"  {flag} ({_choices(field)}) default {field.default}", markup=False)


def _choices(field: Any) -> str:
    from typing import Literal, get_args, get_origin

    if get_origin(field.annotation) is Literal:
        return "|".join(str(choice) for choice in get_args(field.annotation))
    return getattr(field.annotation, "__name__", "path")
