"""FS2K as it is downloaded: numbered folders of photos and sketches, and two annotation files."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from facesketch.config import Kind
from facesketch.data.layouts.matching import make_pair
from facesketch.data.layouts.tree import SPLIT_WORDS, Item, Tree, fold
from facesketch.data.pairs import Found, Side
from facesketch.errors import DataError
from facesketch.files import parse_json, read_file

_NESTED = re.compile(r"(?:.*/)?(?P<kind>photo|sketch)/(?P=kind)(?P<style>\d+)/(?:image|sketch)(?P<number>\d+)\.[^/]*")
_FLAT = re.compile(r"(?:.*/)?(?P<kind>photo|sketch)/(?P=kind)(?P<style>\d+)_(?:image|sketch)(?P<number>\d+)\.[^/]*")
_ANNOTATION = re.compile(r"anno_(?P<side>train|val|test)\.json")
_IMAGE_NAME = re.compile(r"photo(?P<style>\d+)[/_]image(?P<number>\d+)(?:\.\w+)?")
_Notes = dict[str, tuple[Side, dict[str, str]]]


def fs2k(tree: Tree) -> Found | None:
    """Understand `photo/photo1/image0110.jpg` and `sketch/sketch1/sketch0110.jpg` as the pair `1-0110`.

    `anno_train.json` and `anno_test.json` give the split and the attributes. Pictures that FS2K's own script has copied
    to `train/photo/photo1_image0110.jpg` are read when the numbered folders are not there.

    Raises:
        DataError: an annotation file is not what FS2K publishes.
    """
    photos, more_photos = _numbered(tree, "photo")
    sketches, more_sketches = _numbered(tree, "sketch")
    if not photos or not sketches:
        return None
    notes = _annotations(tree)
    found = Found(duplicates=more_photos + more_sketches)
    for stem in sorted(photos.keys() & sketches.keys()):
        pair = make_pair(stem, photos[stem], sketches[stem], subject=stem)
        side, attributes = notes.get(stem, (pair.split, {}))
        found.pairs.append(replace(pair, split=side, attributes=attributes))
    found.orphan_photos = [str(photos[stem].path) for stem in sorted(photos.keys() - sketches.keys())]
    found.orphan_sketches = [str(sketches[stem].path) for stem in sorted(sketches.keys() - photos.keys())]
    found.notes = _missing(notes.keys() - photos.keys() - sketches.keys())
    return found


def _missing(stems: set[str]) -> list[str]:
    if not stems:
        return []
    return [f"{len(stems)} annotated pictures are not in the folder, such as {min(stems)}"]


def _numbered(tree: Tree, kind: Kind) -> tuple[dict[str, Item], list[tuple[str, ...]]]:
    """Return the pictures of one kind by stem, and the groups of those that share a stem."""
    for pattern in (_NESTED, _FLAT):
        groups: dict[str, list[Item]] = {}
        for path in tree.pictures:
            place = pattern.fullmatch(fold(str(path)))
            if place and place["kind"] == kind:
                stem = f"{place['style']}-{place['number']}"
                groups.setdefault(stem, []).append(Item(path, stem, kind, _side(path)))
        if groups:
            several = [tuple(str(item.path) for item in group) for group in groups.values() if len(group) > 1]
            return {stem: group[0] for stem, group in groups.items()}, several
    return {}, []


def _side(path: PurePosixPath) -> Side | None:
    named = [SPLIT_WORDS[part] for part in map(fold, path.parts[:-1]) if part in SPLIT_WORDS]
    return named[-1] if named else None


def _annotations(tree: Tree) -> _Notes:
    notes: _Notes = {}
    for path in tree.files:
        if name := _ANNOTATION.fullmatch(fold(path.name)):
            side = SPLIT_WORDS[name["side"]]
            for entry in _entries(tree, path):
                stem, attributes = _entry(tree, path, entry)
                notes[stem] = side, attributes
    return notes


def _entries(tree: Tree, path: PurePosixPath) -> list[Any]:
    try:
        entries = parse_json(read_file(tree.folder / path))
    except (OSError, ValueError) as error:
        raise DataError(f"{tree.folder / path}: not JSON ({error})", "unpack FS2K's annotations anew") from error
    if not isinstance(entries, list):
        raise DataError(f"{tree.folder / path}: expected a list of entries, each with an image_name")
    return entries


def _entry(tree: Tree, path: PurePosixPath, entry: Any) -> tuple[str, dict[str, str]]:
    name = entry.get("image_name") if isinstance(entry, dict) else None
    place = _IMAGE_NAME.fullmatch(fold(str(name)))
    if not place:
        raise DataError(f"{tree.folder / path}: image_name {name!r}", "expected one such as 'photo1/image0110'")
    attributes = {
        str(key): value if isinstance(value, str) else json.dumps(value)
        for key, value in entry.items()
        if key != "image_name"
    }
    return f"{place['style']}-{place['number']}", attributes
