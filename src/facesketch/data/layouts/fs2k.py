"""FS2K as it is downloaded: numbered folders of photos and sketches, and two annotation files."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from facesketch.data.layouts.matching import match
from facesketch.data.layouts.tree import ANNOTATION, DOMAIN_WORDS, SPLIT_WORDS, Item, Tree, fold
from facesketch.data.pairs import Found, Side
from facesketch.errors import DataError
from facesketch.files import parse_json, read_file

_NESTED, _FLAT = (
    re.compile(
        rf"(?:.*/)?(?P<domain>photo|sketch)/(?P=domain)(?P<style>\d+){mark}(?:image|sketch)(?P<number>\d+)\.[^/]*"
    )
    for mark in "/_"
)
_IMAGE_NAME = re.compile(r"photo(?P<style>\d+)[/_]image(?P<number>\d+)(?:\.\w+)?")


def fs2k(tree: Tree) -> Found | None:
    """Pair `photo/photo1/image0110.jpg` with `sketch/sketch1/sketch0110.jpg` as `1-0110`.

    `anno_train.json` and `anno_test.json` give the split and the attributes. Without the numbered folders, the pictures
    that FS2K's own script copies to `train/photo/photo1_image0110.jpg` are read.

    Raises:
        DataError: an annotation file is not what FS2K publishes.
    """
    found = match(items := _items(tree, _NESTED)) or match(items := _items(tree, _FLAT))
    if found is None:
        return None
    notes = _annotations(tree)
    for place, pair in enumerate(found.pairs):
        side, attributes = notes.get(pair.stem, (pair.split, {}))
        found.pairs[place] = replace(pair, split=side, attributes=attributes)
    if missing := notes.keys() - {item.stem for item in items}:
        found.notes = [f"{len(missing)} annotated pictures are not in the folder, such as {min(missing)}"]
    return found


def _items(tree: Tree, pattern: re.Pattern[str]) -> list[Item]:
    items = []
    for path in tree.pictures:
        if place := pattern.fullmatch(fold(str(path))):
            sides = [SPLIT_WORDS[part] for part in map(fold, path.parts[:-1]) if part in SPLIT_WORDS]
            stem, domain = f"{place['style']}-{place['number']}", DOMAIN_WORDS[place["domain"]]
            items.append(Item(path, stem, domain, sides[-1] if sides else None))
    return items


def _annotations(tree: Tree) -> dict[str, tuple[Side, dict[str, str]]]:
    """Return the side and the attributes of each annotated pair by stem."""
    notes: dict[str, tuple[Side, dict[str, str]]] = {}
    for path in (tree.folder / path for path in tree.files):
        if not (name := ANNOTATION.fullmatch(fold(path.name))):
            continue
        try:
            entries = parse_json(read_file(path))
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: not JSON ({error})", "unpack FS2K's annotations again") from error
        if not isinstance(entries, list):
            raise DataError(f"{path}: expected a list of entries, each with an image_name")
        for entry in entries:
            named = entry.get("image_name") if isinstance(entry, dict) else None
            if not (place := _IMAGE_NAME.fullmatch(fold(str(named)))):
                raise DataError(f"{path}: image_name {named!r}", "expected one such as 'photo1/image0110'")
            del entry["image_name"]
            attributes = {str(key): each if isinstance(each, str) else json.dumps(each) for key, each in entry.items()}
            notes[f"{place['style']}-{place['number']}"] = SPLIT_WORDS[name["side"]], attributes
    return notes
