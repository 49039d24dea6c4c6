"""FS2K as it is downloaded: numbered folders of photos and sketches, and two annotation files."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from facesketch.config import Domain
from facesketch.data.layouts.matching import make_pair
from facesketch.data.layouts.tree import SPLIT_WORDS, Item, Tree, fold
from facesketch.data.pairs import Found, Side
from facesketch.errors import DataError
from facesketch.files import parse_json, read_file

_NESTED = re.compile(
    r"(?:.*/)?(?P<domain>photo|sketch)/(?P=domain)(?P<style>\d+)/(?:image|sketch)(?P<number>\d+)\.[^/]*"
)
_FLAT = re.compile(r"(?:.*/)?(?P<domain>photo|sketch)/(?P=domain)(?P<style>\d+)_(?:image|sketch)(?P<number>\d+)\.[^/]*")
_ANNOTATION = re.compile(r"anno_(?P<side>train|val|test)\.json")
_IMAGE_NAME = re.compile(r"photo(?P<style>\d+)[/_]image(?P<number>\d+)(?:\.\w+)?")


def fs2k(tree: Tree) -> Found | None:
    """Pair `photo/photo1/image0110.jpg` with `sketch/sketch1/sketch0110.jpg` as `1-0110`.

    `anno_train.json` and `anno_test.json` give the split and the attributes. Without the numbered folders, pictures
    that FS2K's own script has copied to `train/photo/photo1_image0110.jpg` are read.

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
    if missing := notes.keys() - photos.keys() - sketches.keys():
        found.notes = [f"{len(missing)} annotated pictures are not in the folder, such as {min(missing)}"]
    return found


def _numbered(tree: Tree, domain: Domain) -> tuple[dict[str, Item], list[tuple[str, ...]]]:
    """Return the pictures of one domain by stem, and the groups of those that share a stem."""
    for pattern in (_NESTED, _FLAT):
        groups: dict[str, list[Item]] = {}
        for path in tree.pictures:
            place = pattern.fullmatch(fold(str(path)))
            if place and place["domain"] == domain:
                stem = f"{place['style']}-{place['number']}"
                sides = [SPLIT_WORDS[part] for part in map(fold, path.parts[:-1]) if part in SPLIT_WORDS]
                groups.setdefault(stem, []).append(Item(path, stem, domain, sides[-1] if sides else None))
        if groups:
            several = [tuple(str(item.path) for item in group) for group in groups.values() if len(group) > 1]
            return {stem: group[0] for stem, group in groups.items()}, several
    return {}, []


def _annotations(tree: Tree) -> dict[str, tuple[Side, dict[str, str]]]:
    """Return the side and the attributes of each annotated pair by stem."""
    notes: dict[str, tuple[Side, dict[str, str]]] = {}
    for path in (tree.folder / path for path in tree.files):
        if not (name := _ANNOTATION.fullmatch(fold(path.name))):
            continue
        try:
            entries = parse_json(read_file(path))
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: not JSON ({error})", "unpack FS2K's annotations again") from error
        if not isinstance(entries, list):
            raise DataError(f"{path}: expected a list of entries, each with an image_name")
        for entry in entries:
            named = entry.get("image_name") if isinstance(entry, dict) else None
            place = _IMAGE_NAME.fullmatch(fold(str(named)))
            if not place:
                raise DataError(f"{path}: image_name {named!r}", "expected one such as 'photo1/image0110'")
            attributes = {
                str(key): value if isinstance(value, str) else json.dumps(value)
                for key, value in entry.items()
                if key != "image_name"
            }
            notes[f"{place['style']}-{place['number']}"] = SPLIT_WORDS[name["side"]], attributes
    return notes
