"""Measure a model on people it was not trained on, beside the artists' sketches of them.

    python benchmarks/strangers.py --data DIR --model RUN_OR_ONNX [--style NAME|own] [--direction photo2sketch]
        [--seen DIR] [--out FOLDER] [--colours skin,hair,background] [--details]

DIR holds aligned pairs, 200x250 with the eyes at (75, 125) and (125, 125), and a `pairs.csv`. Its columns style, hair,
gender, smile and frontal_face, if present, define groups of people. Skin is grouped by the CIELAB lightness of cheeks
and forehead in the photo, in thirds and the darkest tenth, so shade counts as well as skin. A group's figure is `weak`
if it is below 0.85 of the mean of all people. For cleanliness the figure is one minus the share of dark pixels in the
background. `strangers_measures.py` says where pictures are measured. Intervals are 95 % bootstrap intervals over
people, and photos that SFace takes for one person count as one.

`--style own` draws each person in the style that `pairs.csv` names, which is the default if the model has all these
styles. `--seen` names the pairs that the model was trained on. The groups `seen` and `not seen` then separate people
of whom those pairs hold another photo. `--colours` tells a model that takes them those colours of each true photo. For
photos the Fréchet distance of VGG16's features from those of the true photos and the grid of the spectrum are printed
too. `--details` draws at 400x500 and measures that reduced to 200x250. FOLDER gets `strangers.json` and `sheet.png`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cyclopts
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from strangers_measures import (
    ALIKE,
    DARK,
    DARKER,
    HEIGHT,
    WIDTH,
    Places,
    blotchiness,
    border_share,
    dark_share,
    grid_peak,
    same_people,
    skin_colour,
    skin_ink,
)
from torch import Tensor

from facesketch.config import Direction
from facesketch.data.index import index
from facesketch.data.pairs import Pair
from facesketch.errors import DataError
from facesketch.faces.colours import AUTO, Colours, measure
from facesketch.faces.finder import FaceFinder
from facesketch.faces.sface import SFace
from facesketch.files import write_json
from facesketch.images.contact_sheet import sheet
from facesketch.images.io import save_image
from facesketch.inference.translator import Translator, load
from facesketch.methods.networks.backbones import VGG16Features, load_trunk
from facesketch.methods.networks.lpips import PerceptualDistance
from facesketch.metrics.bootstrap import Bootstrap
from facesketch.metrics.distribution import frechet
from facesketch.metrics.perceptual import features, lpips
from facesketch.weights import shipped
from facesketch.weights.catalogue import locate

Array = NDArray[np.float64]
Embed = Callable[[Sequence[Image.Image]], Array]
WEAK = 0.85
SHOWN = 40
COLUMNS = ("style", "hair", "gender", "smile", "frontal_face")
# Where YuNet puts the points of an aligned face on average, for photos in which it finds none
_USUAL = ((71.5, 127.0), (124.5, 127.0), (97.5, 156.0), (75.0, 177.5), (121.0, 179.0))


@dataclass(frozen=True)
class People:
    """The people to measure: their pictures, the places in their faces, and SFace's embeddings of the photos.

    `seen` says who was seen in training, if `--seen` is given.
    """

    pairs: Sequence[Pair]
    photos: Sequence[Image.Image]
    sketches: Sequence[Image.Image]
    places: Sequence[Places]
    faces: Array
    seen: NDArray[np.bool_] | None

    @cached_property
    def names(self) -> NDArray[np.intp]:
        """Return a number for the person in each picture."""
        return same_people(self.faces)


def read(folder: Path, embed: Embed, seen: Path | None) -> People:
    """Open the pairs and find the faces.

    Raises:
        DataError: no pairs, or pictures that are not aligned.
    """
    pairs = index(folder).pairs
    photos, sketches = (
        [side.open() for side in sides] for sides in zip(*((p.photo, p.sketch) for p in pairs), strict=True)
    )
    for pair, *pictures in zip(pairs, photos, sketches, strict=True):
        if any(picture.size != (WIDTH, HEIGHT) for picture in pictures):
            sizes = " and ".join(f"{picture.width}x{picture.height}" for picture in pictures)
            raise DataError(
                f"{pair.stem}: {sizes}; expected {WIDTH}x{HEIGHT}, so type: facesketch faces align {folder}"
            )
    finder = FaceFinder()
    faces = embed(photos)
    known = None if seen is None else (faces @ embed(training_photos(seen)).T).max(axis=1) > ALIKE
    return People(pairs, photos, sketches, [find(finder, photo) for photo in photos], faces, known)


def training_photos(folder: Path) -> list[Image.Image]:
    """Return the photos of the training pairs.

    Raises:
        DataError: there are none.
    """
    found = [pair.photo.open() for pair in index(folder).pairs if pair.split == "train"]
    if not found:
        raise DataError(f"{folder}: no pair is on the side train; give --seen the folder that the model was trained on")
    return found


def find(finder: FaceFinder, photo: Image.Image) -> Places:
    """Return the places of the face whose eyes are nearest to where the frame has them."""
    usual = np.array(_USUAL)
    points = [face.points for face in finder.find(photo) if face.points is not None]
    near = [each for each in points if np.abs(each[:2] - usual[:2]).max() < 25]
    return Places(min(near, key=lambda each: float(np.abs(each[:2] - usual[:2]).sum()), default=usual))


def translate(
    translator: Translator,
    people: People,
    direction: Direction,
    style: str | None,
    told: Sequence[str] = (),
    details: bool = False,
) -> list[Image.Image]:
    """Translate all people, `style="own"` in the style of their artist, and told these colours of their photos."""
    made, large = [], (2 * WIDTH, 2 * HEIGHT)
    sources = people.photos if direction == "photo2sketch" else people.sketches
    for pair, photo, source in zip(people.pairs, people.photos, sources, strict=True):
        name = pair.attributes.get("style", "") if style == "own" else style
        measured = measure(np.asarray(photo.convert("RGB"))) if told else AUTO
        colours = Colours(**{part: getattr(measured, part) for part in told})
        larger = source.resize(large, Image.Resampling.BICUBIC) if details else None
        prepared = translator.prepare(source, direction, larger=larger)
        (array,) = translator.run([prepared], direction, name, colours)
        made.append(translator.restore(array, prepared).resize(source.size, Image.Resampling.LANCZOS))
    return made


def measure_sketches(people: People, ours: Sequence[Image.Image], embed: Embed) -> dict[str, Array]:
    """Return one number per person for our sketch and for the artist's."""
    found = identities(people.faces, ours=embed(ours), artist=embed(people.sketches))
    for who, sketches in (("ours", ours), ("artist", people.sketches)):
        both = list(zip(sketches, people.places, strict=True))
        found[f"outside {DARK}, {who}"] = np.array([dark_share(sketch, at.background) for sketch, at in both])
        found[f"outside {DARKER}, {who}"] = np.array([dark_share(sketch, at.background, DARKER) for sketch, at in both])
        found[f"border, {who}"] = np.array([border_share(sketch, at) for sketch, at in both])
        found[f"skin ink, {who}"] = np.array([skin_ink(sketch, at) for sketch, at in both])
    return found


def measure_photos(people: People, ours: Sequence[Image.Image], embed: Embed) -> dict[str, Array]:
    """Return one number per person for our photo and for the target; identity compares with the sketch instead.

    Identity is the similarity of our photo and the target, likeness that of our photo and the sketch.
    """
    faces, sketches = embed(ours), embed(people.sketches)
    found = identities(people.faces, ours=faces, sketch=sketches)
    for who, rows in (("ours", faces), ("true", people.faces)):
        found[f"likeness to the sketch, {who}"] = (sketches * rows).sum(axis=1)
    colours = {
        who: np.array([skin_colour(photo, at) for photo, at in zip(photos, people.places, strict=True)])
        for who, photos in (("ours", ours), ("true", people.photos))
    }
    centre = colours["true"][:, 1:].mean(axis=0)
    for who, photos in (("ours", ours), ("true", people.photos)):
        found[f"skin's chroma from the mean, {who}"] = np.hypot(*(colours[who][:, 1:] - centre).T)
        blotches = [blotchiness(photo, at) for photo, at in zip(photos, people.places, strict=True)]
        found[f"blotches, {who}"] = np.array(blotches)
        found[f"skin's lightness, {who}"] = colours[who][:, 0]
    found["skin's lightness off by, ours"] = np.abs(colours["ours"][:, 0] - colours["true"][:, 0])
    network = PerceptualDistance("vgg").load(locate("vgg16"), locate("lpips-vgg"))
    found["LPIPS (vgg), ours"] = lpips(network, stacked(ours), stacked(people.photos)).double().numpy()
    return found


def stacked(pictures: Sequence[Image.Image]) -> Tensor:
    """Return pictures of one size as (N, 3, H, W), values 0 to 255."""
    return torch.from_numpy(np.stack([np.asarray(each.convert("RGB")) for each in pictures])).permute(0, 3, 1, 2)


def compare_sets(people: People, ours: Sequence[Image.Image]) -> dict[str, float]:
    """Return what is measured on all photos together: the distance from the true ones, and the grid of both."""
    trunk = load_trunk(VGG16Features(), locate("vgg16"))
    distance = frechet(features(stacked(ours), trunk), features(stacked(people.photos), trunk))
    return {"Fréchet (vgg)": distance, "grid, ours": grid_peak(ours), "grid, true": grid_peak(people.photos)}


def identities(targets: Array, **others: Array) -> dict[str, Array]:
    """Return the cosine similarity of each person's target photo with other pictures of them."""
    return {f"identity, {who}": (targets * rows).sum(axis=1) for who, rows in others.items()}


def summarise(people: People, values: Mapping[str, Array]) -> dict[str, dict[str, float]]:
    """Return mean and interval of each measure, of its difference from the reference, and of the ratio of the means."""
    found = {name: interval(people, each) for name, each in values.items()}
    for name, each in values.items():
        kind, who = name.rsplit(", ", 1)
        if who != "ours":
            mine = values[f"{kind}, ours"]
            found[f"{kind}, ours minus {who}"] = interval(people, mine - each)
            found[f"{kind}, ours over {who}"] = ratio(people, mine, each)
    return found


def interval(people: People, values: Array) -> dict[str, float]:
    """Return the mean over people who have a number, its interval, and their count."""
    known = np.flatnonzero(np.isfinite(values))
    found = Bootstrap([str(name) for name in people.names[known]]).mean(values[known])
    return {"value": found.value, "low": found.low, "high": found.high, "n": len(known)}


def ratio(people: People, ours: Array, other: Array) -> dict[str, float]:
    """Return the ratio of the means, and its interval."""
    known = np.flatnonzero(np.isfinite(ours) & np.isfinite(other))
    draws = Bootstrap([str(name) for name in people.names[known]])
    many = [draws.rows(number) for number in range(1000)]
    ratios = [ours[known][rows].mean() / max(other[known][rows].mean(), 1e-9) for rows in many]
    low, high = np.percentile(ratios, [2.5, 97.5])
    value = ours[known].mean() / max(other[known].mean(), 1e-9)
    return {"value": float(value), "low": float(low), "high": float(high), "n": len(known)}


def groups(people: People) -> dict[str, NDArray[np.bool_]]:
    """Return the members of each group: by skin in the photo, and by the columns of `pairs.csv`."""
    colours = zip(people.photos, people.places, strict=True)
    light = np.array([skin_colour(photo, at)[0] for photo, at in colours])
    low, high = np.percentile(light, [100 / 3, 200 / 3])
    found = {
        "skin, darkest tenth": light <= np.percentile(light, 10),
        "skin, dark third": light <= low,
        "skin, middle third": (light > low) & (light <= high),
        "skin, light third": light > high,
    }
    if people.seen is not None:
        found |= {"seen": people.seen, "not seen": ~people.seen}
    for column in COLUMNS:
        given = np.array([pair.attributes.get(column, "") for pair in people.pairs])
        found |= {f"{column} {name}": given == name for name in sorted(set(given) - {""})}
    return found


def evenness(people: People, values: Mapping[str, Array], direction: Direction) -> dict[str, dict[str, Any]]:
    """Return each group's figures divided by those of all people, for ours and the reference, and which are weak."""
    reference = "artist" if direction == "photo2sketch" else "sketch"
    figures = {f"identity, {who}": values[f"identity, {who}"] for who in ("ours", reference)}
    extra = ("skin ink",) if direction == "photo2sketch" else ("skin's lightness", "blotches")
    if direction == "sketch2photo":
        figures["likeness, ours"] = values["likeness to the sketch, ours"]
    if direction == "photo2sketch":
        figures |= {f"clean, {who}": 1 - values[f"outside {DARK}, {who}"] for who in ("ours", reference)}
    table: dict[str, dict[str, Any]] = {}
    for group, rows in groups(people).items():
        row: dict[str, Any] = {"n": int(rows.sum())}
        for name, each in figures.items():
            row[name] = float(np.nanmean(each[rows]) / np.nanmean(each))
        row |= {name: float(np.nanmean(each[rows])) for name, each in values.items() if name.startswith(extra)}
        row["weak"] = [name for name in figures if name.endswith("ours") and row[name] < WEAK]
        table[group] = row
    return table


def show(measured: Mapping[str, Mapping[str, float]], even: Mapping[str, Mapping[str, Any]]) -> None:
    """Print both tables."""
    print(f"{'measure':44} {'mean':>8}   {'95 % interval':>18} {'n':>5}")
    for name, each in measured.items():
        print(f"{name:44} {each['value']:8.4f}   [{each['low']:8.4f},{each['high']:8.4f}] {each['n']:5}")
    columns = [name for name in next(iter(even.values())) if name not in {"n", "weak"}]
    print("\nBy group; identity, likeness and clean as shares of the mean of all people, the rest unscaled:")
    print(f"{'group':22} {'n':>4} " + " ".join(f"{name:>{max(8, len(name))}}" for name in columns))
    for group, row in even.items():
        numbers = " ".join(f"{row[name]:{max(8, len(name))}.3f}" for name in columns)
        weak = f"   weak: {'; '.join(row['weak'])}" if row["weak"] else ""
        print(f"{group:22} {row['n']:4} {numbers}{weak}")


def contact_sheet(people: People, ours: Sequence[Image.Image], direction: Direction, across: int = 5) -> Image.Image:
    """Return a sheet of 40 people, evenly spaced in the list: photo, sketch and ours."""
    chosen = np.unique(np.linspace(0, len(ours) - 1, min(SHOWN, len(ours))).round().astype(int)).tolist()
    cells: list[Image.Image | None] = []
    for row in chosen:
        cells += [people.photos[row], people.sketches[row], ours[row]]
    cells += [None] * (-len(cells) % (3 * across))
    names = ("photo", "artist", "ours") if direction == "photo2sketch" else ("photo", "sketch", "ours")
    rows = [cells[start : start + 3 * across] for start in range(0, len(cells), 3 * across)]
    return sheet(rows, names * across, cell=(WIDTH, HEIGHT))


def choose_style(given: str | None, translator: Translator, people: People) -> str | None:
    """Return the style to draw in: the given one, or each artist's own if the model has them all."""
    drawn = {pair.attributes.get("style", "") for pair in people.pairs}
    if given == "own" and not drawn <= set(translator.preprocessing.styles):
        known = ", ".join(translator.preprocessing.styles) or "none"
        raise DataError(
            f"styles {', '.join(sorted(drawn))} in pairs.csv, the model has {known}; give --style one of these"
        )
    return "own" if given is None and drawn <= set(translator.preprocessing.styles) else given


def embedding() -> Embed:
    """Return a function that computes SFace's embeddings of pictures."""
    faces = SFace(locate("sface"), shipped.YUNET)

    def embed(pictures: Sequence[Image.Image]) -> Array:
        return faces.describe([np.asarray(picture.convert("RGB")) for picture in pictures])

    return embed


def main(
    *,
    data: Path,
    model: str,
    style: str | None = None,
    direction: Direction | None = None,
    seen: Path | None = None,
    out: Path | None = None,
    colours: str = "",
    details: bool = False,
) -> None:
    """Measure, print and write the results.

    Args:
        colours: Of skin, hair and background, those of the true photo to tell the model.
        details: Draw at 400x500, and reduce that to 200x250.
    """
    embed, translator = embedding(), load(model)
    people = read(data, embed, seen)
    direction = translator.choose(direction)
    style = choose_style(style, translator, people)
    ours = translate(translator, people, direction, style, colours.split(",") if colours else (), details)
    values = (measure_sketches if direction == "photo2sketch" else measure_photos)(people, ours, embed)
    measured, even = summarise(people, values), evenness(people, values, direction)
    drawn, count = style or "the model's first", len(set(people.names.tolist()))
    print(f"{model}, {direction}, style: {drawn}; {len(ours)} pictures of {count} people")
    show(measured, even)
    sets = compare_sets(people, ours) if direction == "sketch2photo" else {}
    for name, value in sets.items():
        print(f"{name:44} {value:8.4f}")
    if out is not None:
        rows = {
            name: [None if np.isnan(value) else round(float(value), 5) for value in each]
            for name, each in values.items()
        }
        stems = [pair.stem for pair in people.pairs]
        about = {"model": model, "direction": direction, "style": style, "stems": stems}
        write_json(out / "strangers.json", about | {"measures": measured, "sets": sets, "groups": even, "values": rows})
        save_image(contact_sheet(people, ours, direction), out / "sheet.png")


if __name__ == "__main__":
    cyclopts.run(main)
