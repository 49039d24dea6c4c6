"""Share a model on the Hugging Face Hub, with a card that gives its numbers."""

from __future__ import annotations

import tempfile
from importlib.resources import files
from pathlib import Path

from facesketch.checkpoints.header import BEST, ONNX_SUFFIX, WEIGHTS, Header, model_file, read_header
from facesketch.config import to_toml
from facesketch.errors import ConfigError, require
from facesketch.evaluation.results import Results
from facesketch.files import write_text
from facesketch.inference.translator import Weights
from facesketch.methods.registry import family, without_paths
from facesketch.weights import hub


def push(
    model: str | Path,
    name: str,
    *,
    results: str | Path | None = None,
    weights: Weights = "best",
    private: bool = False,
) -> str:
    """Upload a model and its card to the Hugging Face Hub, and return the address of its page.

    The uploaded file contains no path of your machine. The token comes from `hf auth login` or `HF_TOKEN`.

    Args:
        model: a run folder, or a `.safetensors` or `.onnx` file.
        name: `hub:OWNER/NAME`; the repository is created if it does not exist.
        results: the `out` file of an evaluation of this model; the card shows its numbers.
        weights: which of a run folder's weights to use.
        private: make the repository private if it is new.

    Raises:
        CheckpointError: there is no model, or it is damaged.
        ConfigError: the name has another form, the method's model files hold pictures, or the results are of another
            method.
        DataError: the results are damaged.
        MissingExtraError: the extra `hub` is not installed, or the hub refuses or does not answer.

    Examples:
        >>> push("runs/first", "hub:anna/first", results="first.json")  # doctest: +SKIP
        'https://huggingface.co/anna/first'

        The card alone:

        >>> header = read_header(Path("runs/first/best.safetensors"))
        >>> "# first" in card("hub:anna/first", header, None).splitlines()
        True
    """
    repository, revision = hub.parse(name)
    if revision is not None:
        raise ConfigError(f"'{name}'", "leave out the revision: a model is pushed to the main branch")
    file = model_file(Path(model), weights)
    header = read_header(file)
    method = header.config.method.name
    if family(method).exemplars:
        raise ConfigError(f"{file}: a model of {method} holds its training pictures", "it must not be shared")
    measured = Results.load(Path(results)) if results is not None else None
    if measured is not None and (measured.model.method, measured.direction) not in {
        (method, each) for each in header.preprocessing.directions
    }:
        seen = f"{results}: results of {measured.model.method}, {measured.direction}"
        raise ConfigError(seen, f"give those of this {method}, {' and '.join(header.preprocessing.directions)}")
    config = without_paths(header.config)
    with hub.told(name), tempfile.TemporaryDirectory(prefix="facesketch-") as folder:
        from huggingface_hub import HfApi

        if file.suffix.lower() == ONNX_SUFFIX:  # names no paths anyway
            (Path(folder) / "model.onnx").write_bytes(file.read_bytes())
        else:
            require("train", "pushing a run")
            from facesketch.checkpoints.checkpoint import load_method, save_weights

            save_weights(Path(folder) / "model.safetensors", load_method(file)[0], config, header.notes)
        write_text(Path(folder) / "README.md", card(name, header._replace(config=config), measured))
        api = HfApi(library_name="facesketch")
        address = api.create_repo(repository, private=private, exist_ok=True)
        message = f"Push {Path(model).name if file.name in {BEST, WEIGHTS} else file.name}"
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message=message)
    return str(address)


def card(name: str, header: Header, results: Results | None) -> str:
    """Return the model card: how to use the model, its numbers, its settings, and what it is not for."""
    config, directions = header.config, header.preprocessing.directions
    return (
        (files(__package__) / "card.md")
        .read_text(encoding="utf-8")
        .format(
            method=config.method.name,
            tags="\n".join(f"- {each}" for each in directions),
            title=name.removeprefix(hub.PREFIX).rpartition("/")[2],
            directions=" and ".join(directions),
            size=config.data.size,
            name=name,
            numbers="\n".join(["", "## Numbers", "", *_numbers(results), ""]) if results else "",
            settings=to_toml(config).strip(),
        )
    )


def _numbers(results: Results) -> list[str]:
    count, people = len(results.stems), len(set(results.subjects))
    lines = [
        f"On the {results.split} side of `{results.protocol}`: {count} pictures of {people} people. Intervals are",
        "95 %, over people (NLDA: over its random divisions). `copy` is the input itself, a baseline without a model.",
        "",
        "| metric | better | value | interval | copy |",
        "|---|---|---|---|---|",
    ]
    baseline = results.baselines.get("copy")
    for key, each in {**results.metrics, **results.sets}.items():
        other = {**baseline.metrics, **baseline.sets}.get(key) if baseline else None
        beside = "" if other is None else f"{other.value:.4f}"
        interval = f"{each.low:.4f} to {each.high:.4f}"
        lines.append(f"| {each.title} | {each.better} | {each.value:.4f} | {interval} | {beside} |")
    return lines
