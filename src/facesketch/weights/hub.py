"""Models on the Hugging Face Hub, by names such as `hub:OWNER/NAME`; nothing is fetched unless you give such a name."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facesketch.errors import ConfigError, MissingExtraError, OutputError, require
from facesketch.weights.catalogue import cache_folder

PREFIX = "hub:"
FILES = ("model.safetensors", "model.onnx")
"""What a model is called in its repository."""
_NAME = re.compile(r"hub:(?P<repository>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[\w./-]+))?")


def fetch(name: str) -> Path:
    """Return a model file of the hub, downloaded into the cache folder unless the same version is there.

    Without a network the version that was fetched before is taken.

    Args:
        name: `hub:OWNER/NAME`, or `hub:OWNER/NAME@REVISION` for a branch, tag or commit.

    Raises:
        ConfigError: it is no such name.
        MissingExtraError: the extra `hub` is not installed, or the hub does not give the file.
    """
    repository, revision = parse(name)
    with told(name):
        from huggingface_hub import hf_hub_download, try_to_load_from_cache
        from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError

        for file in FILES:
            try:
                return Path(hf_hub_download(repository, file, revision=revision, cache_dir=cache_folder() / "hub"))
            except RemoteEntryNotFoundError:
                continue
            except LocalEntryNotFoundError as error:  # no answer
                cached = (try_to_load_from_cache(repository, each, cache_folder() / "hub", revision) for each in FILES)
                if kept := next((each for each in cached if isinstance(each, str)), None):
                    return Path(kept)
                raise MissingExtraError(f"{name}: the hub does not answer", "check the network") from error
    raise MissingExtraError(f"{name}: holds no {' or '.join(FILES)}", "give one that facesketch push has uploaded")


def parse(name: str) -> tuple[str, str | None]:
    """Return the repository and the revision that a name stands for.

    Raises:
        ConfigError: it is no such name.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise ConfigError(f"'{name}'", "expected hub:OWNER/NAME")
    return found["repository"], found["revision"]


@contextmanager
def told(name: str) -> Iterator[None]:
    """Check that the extra is installed, and turn what the hub answers into one line.

    Raises:
        MissingExtraError: the extra `hub` is not installed, or the hub refuses or does not answer.
        OutputError: the cache folder cannot be written.
    """
    require("hub", name)
    from huggingface_hub.errors import HTTPError, RepositoryNotFoundError  # type: ignore[attr-defined]
    from huggingface_hub.utils import disable_progress_bars, logging  # type: ignore[attr-defined]

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it would print each retry
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        yield
    except RepositoryNotFoundError as error:
        seen = f"{name}: no such model, or not one that you may see"
        raise MissingExtraError(seen, "check the name; for private models type: hf auth login") from error
    except PermissionError as error:
        raise OutputError(f"{name}: {error}", "set FACESKETCH_MODELS to another folder") from error
    except (HTTPError, OSError) as error:
        line = " ".join(str(error).split())[:200] or type(error).__name__
        raise MissingExtraError(f"{name}: {line}", "check the network, and type: hf auth login") from error
