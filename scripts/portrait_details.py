"""Train the networks that draw at 400x500, from the picture and from what the package's model drew of it.

    .venv/bin/python scripts/portrait_details.py pairs --cuhk CUHK --originals ORIGINALS --fs2k FS2K --out large
    .venv/bin/python scripts/portrait_details.py people PEOPLE --faces FACES --out large-people
    .venv/bin/python scripts/portrait_details.py train large --out RUN --steps 1950
    .venv/bin/python scripts/portrait_details.py train large large-people --out RUN --direction sketch2photo
    .venv/bin/python scripts/portrait_details.py export RUN --out photo2sketch-400x500.onnx

`pairs` finds each published crop of CUHK, 200x250, in the picture from which it was cut, and cuts it again at 400x500.
FS2K's faces are levelled at 240x300, which is all they have; people of its held-out pairs and small faces are left out.
Test people are there with the split `test` and are not learned from.

`people` takes the training photos of what `scripts/portrait_people.py` wrote. Those that are in FACES at 400x500 are
drawn in one of the package's styles; all others come with their sketches as they are, at 200x250.

`train` draws each picture with the package's model at half of its size, once, and moves the true one so that its lines
lie where the drawing has them: what is to be learned is how they look, not where they lie. A true photo also takes the
broad colours of the drawn one, and what was drawn gets more faults, to be mended. Photos are learned from by turns in
parts and whole. Type it again with more steps to go on.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from portrait_data import read, strangers
from torch import Tensor, nn

from facesketch.checkpoints.header import read_header, write_header
from facesketch.config import DIRECTIONS, Direction
from facesketch.faces import FaceFinder, FaceFrame, align
from facesketch.faces.black_corners import black_corners
from facesketch.faces.colours import AUTO, Colours, measure
from facesketch.faces.warp import continued, inverse, moved, scaled, similarity, warp
from facesketch.files import atomic
from facesketch.images.io import is_picture, open_image
from facesketch.inference.engines.base import IMAGE, STYLE, TRANSLATION
from facesketch.inference.export.quantise import halve, quiet
from facesketch.inference.export.subpixel import fuse
from facesketch.inference.export.trace import with_header
from facesketch.inference.translator import Translator, load
from facesketch.methods.losses import edges, l1
from facesketch.methods.networks.blocks import frozen
from facesketch.methods.networks.feature_critic import FeatureCritic, fooling, hinge
from facesketch.methods.networks.lpips import CHANNELS, PerceptualDistance
from facesketch.weights import shipped
from facesketch.weights.catalogue import locate

Pixels = NDArray[np.uint8]
SIZE, SMALL, OWN_SCALE, CLOSEST = (400, 500), (200, 250), 1.2, 52.0
FRAME = FaceFrame()
BATCH, BORDER, SHIFT = 4, 10, 12  # pixels; scans of drawings end in a line, which BORDER leaves out
RATE, BETAS, AVERAGE, SAVED = 6e-4, (0.5, 0.99), 0.995, 100
ABSOLUTE, PERCEPTUAL = 6.0, 4.0
TINT = 40.0  # pixels of 400: what is wider than that is colour and light, which a true photo takes from the drawn one
TOLD = 0.8  # share of photos drawn in the true colours
WHOLE = (496, 400)  # rows and columns of a whole face: as many as the network takes


class Recipe(NamedTuple):
    """What differs between the directions."""

    channels: tuple[int, int]  # of the picture, and of what is drawn
    network: dict[str, Any]  # widths, blocks, and whether what half of the sides can hold stays as it was drawn
    critic: int  # its width
    patch: int
    edges: float
    adversarial: float
    shares: dict[str, float]  # of patches, by kind of pair
    whole: str = ""  # the kind of pair from which every other step learns a whole picture


RECIPES: dict[Direction, Recipe] = {
    "photo2sketch": Recipe((3, 1), {"keeps": True}, 20, 128, 6.0, 0.3, {"cuhk": 0.7, "fs2k": 0.3}),
    "sketch2photo": Recipe(
        channels=(1, 3),
        network={"fine": 32, "coarse": 96, "blocks": 2, "deep": 192, "dilations": (1, 2, 4, 1, 2, 1), "keeps": False},
        critic=28,
        patch=160,
        edges=2.0,
        adversarial=0.4,
        shares={"faces": 0.4, "cuhk": 0.1, "people": 0.25, "fs2k": 0.25},
        whole="faces",
    ),
}


class _Styled(nn.Module):
    """A convolution whose channels each style scales and shifts: (N, C, H, W) and weights (N, S) -> (N, C', H, W)."""

    def __init__(
        self, before: int, after: int, styles: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, padding=dilation, dilation=dilation, bias=False)
        self.scale, self.shift = nn.Parameter(torch.ones(styles, after)), nn.Parameter(torch.zeros(styles, after))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scale, shift = style @ self.scale, style @ self.shift
        styled: Tensor = self.conv(x) * scale[:, :, None, None] + shift[:, :, None, None]
        return styled


class _Residual(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, channels: int, styles: int, dilation: int = 1) -> None:
        super().__init__()
        self.first, self.second = (_Styled(channels, channels, styles, dilation=dilation) for _ in range(2))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        changed: Tensor = x + self.second(F.leaky_relu(self.first(x, style), 0.2), style)
        return changed


class Details(nn.Module):
    """Adds details to an enlarged drawing: (N, source + target, H, W) in [-1, 1], (N, S) -> (N, target, H, W).

    H and W are multiples of `stride`. It works at half the sides, where it keeps what is fine, at a quarter, and, if it
    is deep, at an eighth, from where it sees the whole face.

    Args:
        source: channels of the picture.
        target: channels of the drawing, which come last.
        fine: channels at half the sides.
        coarse: channels at a quarter.
        blocks: residual blocks there.
        deep: channels at an eighth; 0 for a network without that level.
        dilations: of the residual blocks there.
        styles: how many styles it draws in.
        keeps: in evaluation mode, add nothing that half of the sides can hold: there the first network knows the person
            better.
    """

    def __init__(
        self,
        source: int,
        target: int,
        styles: int,
        *,
        fine: int = 24,
        coarse: int = 48,
        blocks: int = 4,
        deep: int = 0,
        dilations: tuple[int, ...] = (),
        keeps: bool,
    ) -> None:
        super().__init__()
        self.target, self.keeps, self.stride = target, keeps, 8 if deep else 4
        self.first = _Styled(4 * (source + target), fine, styles)
        self.down = _Styled(fine, coarse, styles, kernel=4, stride=2)
        self.blocks = nn.ModuleList(_Residual(coarse, styles) for _ in range(blocks))
        if deep:
            self.descend = _Styled(coarse, deep, styles, kernel=4, stride=2)
            self.deep = nn.ModuleList(_Residual(deep, styles, dilation) for dilation in dilations)
            self.ascend = _Styled(deep, coarse, styles)
            self.join = _Styled(2 * coarse, coarse, styles)
        self.up = _Styled(coarse, fine, styles)
        self.merge = _Styled(2 * fine, fine, styles)
        self.touch = _Styled(fine, fine, styles)
        self.out = nn.Conv2d(fine, 4 * target, 3, padding=1)
        for name, weight in self.named_parameters():
            if weight.dim() == 4:
                nn.init.kaiming_normal_(weight, 0.2)
                weight.data.mul_(0.3 if "second" in name else 1.0)
        nn.init.normal_(self.out.weight, 0, 0.005)  # it begins with the enlarged drawing

    def forward(self, pictures: Tensor, style: Tensor | None = None) -> Tensor:
        """Return the drawing with details; without a style, that of a network of one."""
        style = pictures.new_ones(1, 1) if style is None else style
        fine = F.leaky_relu(self.first(F.pixel_unshuffle(pictures, 2), style), 0.2)  # (N, fine, H / 2, W / 2)
        x = F.leaky_relu(self.down(fine, style), 0.2)  # (N, coarse, H / 4, W / 4)
        for block in self.blocks:
            x = block(x, style)
        if self.stride == 8:
            wide = F.leaky_relu(self.descend(x, style), 0.2)  # (N, deep, H / 8, W / 8)
            for block in self.deep:
                wide = block(wide, style)
            wide = F.leaky_relu(self.ascend(F.interpolate(wide, scale_factor=2.0, mode="nearest"), style), 0.2)
            x = F.leaky_relu(self.join(torch.cat([wide, x], dim=1), style), 0.2)
        x = F.leaky_relu(self.up(F.interpolate(x, scale_factor=2.0, mode="nearest"), style), 0.2)
        x = F.leaky_relu(self.merge(torch.cat([x, fine], dim=1), style), 0.2)
        x = F.leaky_relu(self.touch(x, style), 0.2)
        given = pictures[:, -self.target :]
        drawn: Tensor = given + F.pixel_shuffle(self.out(x), 2)
        if self.training or not self.keeps:
            return drawn
        off = F.avg_pool2d(given - drawn, 2)
        return drawn + F.interpolate(off, scale_factor=2.0, mode="bilinear", align_corners=False)


def cut_again(crop: Image.Image, original: Image.Image, finder: FaceFinder) -> Image.Image:
    """Return a published crop at 400x500 from the picture that it was cut from."""
    (face,) = finder.find(original, most=1)
    near = similarity(face.eyes, FRAME.eyes)
    seen, _ = warp(original.convert("L"), near, SMALL)
    known = cv2.erode((~black_corners(crop)).astype(np.uint8), np.ones((9, 9), np.uint8))
    end = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-7)
    both = np.asarray(crop.convert("L")), np.asarray(seen)
    _, found = cv2.findTransformECC(*both, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, end, known, 5)
    back = np.asarray(found, np.float64)  # from the crop to what is near it, a pixel's centre at whole numbers
    back[:, 2] += 0.5 - back[:, :2] @ (0.5, 0.5)
    there = inverse(back)
    matrix = np.column_stack([there[:, :2] @ near[:, :2], moved(there, near[:, 2])])
    return continued(*warp(original, scaled(matrix, SIZE[0] / SMALL[0]), SIZE))


def pairs(given: argparse.Namespace) -> None:
    """Write CUHK's pairs at 400x500 and FS2K's at 240x300."""
    finder, rows = FaceFinder(), []
    for kind in ("photo", "sketche"):
        (given.out / f"{kind}s").mkdir(parents=True, exist_ok=True)

    def write(row: dict[str, str], photo: Image.Image, sketch: Image.Image) -> None:
        places = {"photo": f"photos/{row['stem']}.png", "sketch": f"sketches/{row['stem']}.png"}
        photo.save(given.out / places["photo"])
        sketch.convert("L").save(given.out / places["sketch"])
        rows.append({"stem": row["stem"], "split": row["split"], "style": row["style"], **places})

    for row in read(given.cuhk):
        crops = (open_image(given.cuhk / row[kind]).convert("RGB") for kind in ("photo", "sketch"))
        originals = (open_image(given.originals / row[kind]).convert("RGB") for kind in ("photo", "sketch"))
        photo, sketch = (cut_again(*both, finder) for both in zip(crops, originals, strict=True))
        write(row | {"style": "cuhk"}, photo, sketch)
    fs2k = read(given.fs2k)
    kept_out = strangers(fs2k)
    for row in fs2k:
        images = [open_image(given.fs2k / row[kind]).convert("RGB") for kind in ("photo", "sketch")]
        faces = [finder.find(image, most=1) for image in images]
        near = all(found and np.hypot(*np.subtract(*found[0].eyes)) >= CLOSEST for found in faces)
        if near and row["stem"] not in kept_out:
            framed = [align(image, found[0], scale=OWN_SCALE).image for image, found in zip(images, faces, strict=True)]
            write(row | {"split": "train", "style": f"fs2k-{row['style']}"}, framed[0], framed[1])
    write_table(given.out, rows)


def people(given: argparse.Namespace) -> None:
    """Draw the large photos of people, and copy the pairs of all others."""
    drawer, rows = load("photo2sketch"), list[dict[str, str]]()
    styles, large = (
        drawer.preprocessing.styles,
        {path.stem: path for path in given.faces.rglob("*") if is_picture(path)},
    )
    for kind in ("photo", "sketche"):
        (given.out / f"{kind}s").mkdir(parents=True, exist_ok=True)
    seen: set[str] = set()
    for row in read(given.folder):
        stem = Path(row["photo"]).stem
        if row["split"] != "train" or stem in seen or row["set"] == "cuhk":
            continue
        seen.add(stem)
        places = {"photo": f"photos/{stem}.png", "sketch": f"sketches/{stem}.png"}
        if stem in large:
            photo, style = open_image(large[stem]).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS), "faces"
            small = photo.resize(SMALL, Image.Resampling.LANCZOS)
            prepared = drawer.prepare(small, "photo2sketch", larger=photo)
            of_style = styles[len(rows) % len(styles)]
            sketch = drawer.restore(drawer.run([prepared], "photo2sketch", of_style)[0], prepared)
        else:
            photo, sketch = (open_image(given.folder / row[kind]) for kind in ("photo", "sketch"))
            style = "fs2k" if row["set"] == "fs2k" else "people"
        photo.convert("RGB").save(given.out / places["photo"])
        sketch.convert("L").save(given.out / places["sketch"])
        rows.append({"stem": stem, "split": "train", "style": style, **places})
    write_table(given.out, rows)


def write_table(folder: Path, rows: list[dict[str, str]]) -> None:
    """Write `pairs.csv`."""
    with (folder / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    print(f"{len(rows)} pairs in {folder}")


class Lesson(NamedTuple):
    """A picture and some jittered ones, what was drawn of each, (V, H, W, C), and the true one, moved to it."""

    sources: Pixels
    drawn: Pixels
    target: Pixels
    style: int


def to_drawing(truth: Pixels, drawn: Pixels) -> Pixels:
    """Move a picture smoothly so that its lines lie where those of a drawing lie, by at most 7 pixels of the frame."""
    zoom = SMALL[0] / truth.shape[1]
    grey = [each if each.ndim == 2 else cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (drawn, truth)]
    if truth.ndim == 3:  # a photo in the light of the drawn one
        like = (grey[1] - grey[1].mean()) * (grey[0].std() / max(1.0, grey[1].std())) + grey[0].mean()
        grey[1] = like.clip(0, 255).astype(np.uint8)
    small = [cv2.resize(each, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA) for each in grey]
    seen = [cv2.GaussianBlur(each, (0, 0), 1.5) for each in small]
    finder: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = finder.calc(seen[0], seen[1], None)
    flow = cv2.resize(cv2.GaussianBlur(flow.clip(-7, 7), (0, 0), 7), truth.shape[1::-1]) / zoom
    rows, columns = np.mgrid[: truth.shape[0], : truth.shape[1]].astype(np.float32)
    across, down = columns + flow[..., 0], rows + flow[..., 1]
    return np.asarray(cv2.remap(truth, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def tinted(truth: Pixels, drawn: Pixels) -> Pixels:
    """Return a true photo with the colours and the light of a drawn one."""
    reach = TINT * truth.shape[1] / SIZE[0]
    wide = [cv2.GaussianBlur(each.astype(np.float32), (0, 0), reach) for each in (truth, drawn)]
    return np.asarray((truth - wide[0] + wide[1]).clip(0, 255), np.uint8)


def jittered(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return a photo in another light, with some noise."""
    pixels = np.asarray(photo, np.float32) / 255
    pixels = pixels ** rng.uniform(0.75, 1.3) * rng.uniform(0.85, 1.1) * rng.uniform(0.93, 1.07, 3)
    pixels = pixels + rng.normal(0, rng.uniform(0, 0.03), pixels.shape)
    return Image.fromarray((pixels.clip(0, 1) * 255).astype(np.uint8))


def lessons(folders: list[Path], direction: Direction) -> Iterator[tuple[str, Lesson]]:
    """Draw the training pairs of folders with the package's model; yields the kind of each, a key of the shares."""
    drawer = load(direction)
    rows = [(folder, row) for folder in folders for row in read(folder) if row["split"] == "train"]
    for number, (folder, row) in enumerate(rows):
        photo, sketch = (
            open_image(folder / row["photo"]).convert("RGB"),
            open_image(folder / row["sketch"]).convert("L"),
        )
        rng, kind = np.random.default_rng(number), row["style"].partition("-")[0]
        if direction == "photo2sketch":
            styles = drawer.preprocessing.styles
            sources = [photo, *(jittered(photo, rng) for _ in range(2 if kind == "cuhk" else 0))]
            drawn, style = enlarged(drawer, sources, row["style"]), styles.index(row["style"])
            target = to_drawing(np.asarray(sketch), drawn[0])[..., None]
            yield kind, Lesson(np.stack([np.asarray(each) for each in sources]), drawn[..., None], target, style)
            continue
        small = np.asarray(photo.resize(SMALL, Image.Resampling.LANCZOS))
        colours = measure(small) if rng.random() < TOLD else AUTO
        (drawn,) = enlarged(drawer, [sketch], None, colours)
        target = tinted(to_drawing(np.asarray(photo), drawn), drawn)
        yield kind, Lesson(np.asarray(sketch)[None, ..., None], drawn[None], target, 0)


def enlarged(drawer: Translator, sources: list[Image.Image], style: str | None, colours: Colours = AUTO) -> Pixels:
    """Return what a model draws of pictures at half of their size, enlarged: (N, H, W) or (N, H, W, 3)."""
    size, half = sources[0].size, (sources[0].width // 2, sources[0].height // 2)
    small = [each.resize(SMALL, Image.Resampling.LANCZOS) for each in sources]
    made = drawer.translate(small, style=style, colours=colours)
    halved = [each.resize(half, Image.Resampling.LANCZOS) for each in made]
    return np.stack([np.asarray(each.resize(size, Image.Resampling.BICUBIC)) for each in halved])


def faulty(drawn: NDArray[np.float64], sketch: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a drawn photo, 0 to 255, with up to three more faults: a place smeared, stained, doubled or hatched."""
    rows, columns = np.ogrid[: drawn.shape[0], : drawn.shape[1]]
    for _ in range(rng.integers(4)):
        (row, column), reach = rng.uniform(0, drawn.shape[:2]), rng.uniform(5, 20)
        place = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * reach**2))[..., None]
        way = rng.integers(4)
        if way == 0:
            worse = cv2.GaussianBlur(drawn, (0, 0), rng.uniform(2, 5))
        elif way == 1:
            worse = drawn + rng.normal(0, 25, 3)
        elif way == 2:
            worse = np.roll(drawn, rng.integers(-6, 7, 2), (0, 1))
        else:
            worse = drawn * (0.4 + 0.6 * sketch / 255)
        drawn = drawn + place * (worse - drawn)
    return drawn


def rough(sketch: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a sketch, 0 to 255, as other hands and scanners would have made it, or often none at all."""
    way = rng.random()
    if way < 0.15:
        sketch = np.reshape(cv2.GaussianBlur(sketch, (0, 0), rng.uniform(0.5, 2)), sketch.shape).astype(np.float64)
    elif way < 0.3:
        sketch = 255 - (255 - sketch) * rng.uniform(0.3, 1.6)
    elif way < 0.4:
        sketch = np.where(sketch < rng.uniform(110, 200), rng.uniform(0, 90), 255.0)
    elif way < 0.5:
        sketch = sketch * rng.uniform(0.75, 1) + rng.normal(0, rng.uniform(0, 12), sketch.shape)
    return sketch if rng.random() < 0.5 else np.full_like(sketch, 255.0)


def patches(known: dict[str, list[Lesson]], recipe: Recipe, step: int, styles: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return what a step sees: (N, C + C', P, Q) pictures and drawings, (N, C', P, Q) true ones, (N, S) styles.

    It is four patches, or one whole picture. Half of the patches lie near the features. The drawings' contrast varies,
    as that of another first stage would; photos get faults, and their sketches are roughened.
    """
    rng, found = np.random.default_rng(step), []
    whole = step % 2 == 0 and recipe.whole in known
    kinds = {kind: share for kind, share in recipe.shares.items() if known.get(kind)}
    size, border = np.array(WHOLE if whole else (recipe.patch, recipe.patch)), 0 if whole else BORDER
    for _ in range(1 if whole else BATCH):
        kind = recipe.whole if whole else rng.choice([*kinds], p=np.array([*kinds.values()]) / sum(kinds.values()))
        lesson = known[kind][rng.integers(len(known[kind]))]
        which, sides = rng.integers(len(lesson.sources)), lesson.target.shape[:2]
        most = np.array(sides) - size - border
        near = rng.normal((0.52, 0.5), (0.13, 0.15)) * sides - size / 2
        top, left = near.clip(border, most).astype(int) if rng.random() < 0.5 else rng.integers(border, most + 1)
        part = np.s_[top : top + size[0], left : left + size[1]]
        source, drawn, target = (
            each[part].astype(np.float64) for each in (lesson.sources[which], lesson.drawn[which], lesson.target)
        )
        if recipe.channels[1] == 1:
            drawn = 255 - rng.uniform(0.93, 1.07) * (255 - drawn)
        else:
            drawn, source = faulty(drawn, source, rng), rough(source, rng)
        all_of_it = np.concatenate([source, drawn, target], 2).clip(0, 255) / 127.5 - 1
        pixels = all_of_it[:, ::-1] if rng.random() < 0.5 else all_of_it
        found.append((pixels.transpose(2, 0, 1).astype(np.float32), lesson.style))
    seen = torch.from_numpy(np.stack([each for each, _ in found])).to(memory_format=torch.channels_last)
    given = sum(recipe.channels)
    return seen[:, :given], seen[:, given:], F.one_hot(torch.tensor([style for _, style in found]), styles).float()


def build(direction: Direction) -> tuple[Details, int]:
    """Return a direction's network, and how many styles it draws in."""
    recipe, styles = RECIPES[direction], 1
    if direction == "photo2sketch":
        styles = len(load(direction).preprocessing.styles)
    return Details(*recipe.channels, styles, **recipe.network), styles


def train(given: argparse.Namespace) -> None:
    """Train the network and an average of its weights, beside a critic that judges patches at changing places."""
    torch.manual_seed(0)
    recipe, (network, styles) = RECIPES[given.direction], build(given.direction)
    critic = FeatureCritic(sum(recipe.channels) + recipe.channels[1], CHANNELS["alex"], recipe.critic)
    average = deepcopy(network).requires_grad_(False)
    distance = PerceptualDistance("alex").load(locate("alexnet"), locate("lpips-alex"))
    optimisers = [torch.optim.Adam(each.parameters(), RATE, BETAS) for each in (network, critic)]
    parts: dict[str, Any] = {
        "network": network,
        "average": average,
        "critic": critic,
        "first": optimisers[0],
        "second": optimisers[1],
    }
    given.out.mkdir(parents=True, exist_ok=True)
    begun, state = 0, given.out / "state.pt"
    if state.exists():
        kept = torch.load(state, weights_only=True)
        begun = kept["step"]
        for name, part in parts.items():
            part.load_state_dict(kept[name])
    known: dict[str, list[Lesson]] = {}
    for kind, lesson in lessons(given.folders, given.direction):
        known.setdefault(kind, []).append(lesson)
    print(", ".join(f"{len(found)} of {kind}" for kind, found in known.items()), flush=True)
    for step in range(begun + 1, given.steps + 1):
        left = (given.steps - step) / (0.4 * given.steps)
        for optimiser, share in zip(optimisers, (1.0, 0.5), strict=True):
            optimiser.param_groups[0]["lr"] = RATE * share * min(1, step / 50, max(0.02, left))
        losses = learn(network, critic, distance, optimisers, patches(known, recipe, step, styles), recipe, step)
        for mean, new in zip(average.parameters(), network.parameters(), strict=True):
            mean.data.lerp_(new.data, 1 - min(AVERAGE, step / (step + 10)))
        if step % 20 == 0:
            print(step, " ".join(f"{name} {value:.4f}" for name, value in losses.items()), flush=True)
        if step % SAVED == 0 or step == given.steps:
            with atomic(state) as file:
                torch.save({"step": step} | {name: part.state_dict() for name, part in parts.items()}, file)


def learn(
    network: nn.Module,
    critic: FeatureCritic,
    distance: PerceptualDistance,
    optimisers: list[torch.optim.Adam],
    seen: tuple[Tensor, Tensor, Tensor],
    recipe: Recipe,
    step: int,
) -> dict[str, float]:
    """Take one step of the critic and one of the network, and return the losses."""
    (source, target, style), half = seen, torch.autocast("cpu", torch.bfloat16)
    with half:
        fake = network(source, style)
    fake = fake.float()
    top, left = torch.randint(SHIFT, (2,)).tolist()
    bottom, right = source.shape[2] - SHIFT + top, source.shape[3] - SHIFT + left
    shown = [each[..., top:bottom, left:right] for each in (source, target, fake)]
    with half:
        with torch.no_grad():
            maps = distance.maps(shown[1])
        fake_maps = distance.maps(shown[2])
        real, made = (torch.cat([shown[0], each], dim=1) for each in shown[1:])
        told = hinge(critic(made.detach(), [each.detach() for each in fake_maps]), real=False)
        judged = (hinge(critic(real, maps), real=True) + told) / 2
    optimisers[1].zero_grad()
    judged.backward()
    optimisers[1].step()
    with half, frozen(critic):
        fooled = fooling(critic(made, fake_maps))
    losses = {"l1": l1(fake, target), "edges": edges(fake, target)}
    losses["perceptual"] = distance.between(fake_maps, maps).mean()
    total = ABSOLUTE * losses["l1"] + recipe.edges * losses["edges"] + PERCEPTUAL * losses["perceptual"]
    total = total + recipe.adversarial * min(1, step / 200) * fooled
    optimisers[0].zero_grad()
    total.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimisers[0].step()
    return {name: value.item() for name, value in (losses | {"fooling": fooled, "judging": judged}).items()}


def export(given: argparse.Namespace) -> None:
    """Write the average of a training as the package ships it, after comparing it with PyTorch."""
    import onnx
    import onnxruntime

    header, (network, styles) = read_header(shipped.path(given.direction)), build(given.direction)
    network.load_state_dict(torch.load(given.folder / "state.pt", weights_only=True)["average"])
    batch, *sides = (torch.export.Dim(name, min=1) for name in ("batch", "rows", "columns"))
    shapes: Any = {IMAGE: {0: batch, **{2 + n: network.stride * side for n, side in enumerate(sides)}}}
    shapes[STYLE] = {0: batch}
    pictures, told = torch.rand(2, 4, 96, 80) * 2 - 1, torch.eye(styles)[[0, int(styles > 1)]]
    program = {IMAGE: pictures, STYLE: told}
    if styles == 1:
        del shapes[STYLE], program[STYLE]
    with quiet(), torch.no_grad():
        traced = torch.onnx.export(
            network.eval(),
            tuple(program.values()),
            dynamic_shapes=tuple(shapes.values()),
            input_names=list(shapes),
            output_names=[TRANSLATION],
            opset_version=18,
            dynamo=True,
            verbose=False,
        )
    assert traced is not None, "the exporter returns a program when it is given no file"
    model: onnx.ModelProto = traced.model_proto
    fuse(model)
    model = halve(model)
    frame = FaceFrame(*SIZE, (150.0, 250.0), (250.0, 250.0))
    own = {"longest_side": SIZE[1], "multiple": network.stride, "faces": frame}
    if styles == 1:
        own |= {"styles": (), "colours": ()}
    needs = header.preprocessing.model_copy(update=own)
    content = with_header(model, write_header(header.config, needs, {"details": True}))
    with torch.inference_mode():
        expected = network(*program.values()).numpy()
    feed = {name: each.numpy() for name, each in program.items()}
    (result,) = onnxruntime.InferenceSession(content).run(None, feed)
    off = float(np.abs(result - expected).max()) * 127.5
    assert off < 2, f"the graph differs from PyTorch by {off}/255"
    with atomic(given.out) as file:
        file.write(content)
    print(f"{given.out}: {len(content)} bytes, at most {off:.2f}/255 from PyTorch")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    for verb in (pairs, people, train, export):
        words = verbs.add_parser(verb.__name__)
        words.set_defaults(verb=verb)
        words.add_argument("--out", type=Path, required=True)
        if verb is pairs:
            for name in ("--cuhk", "--originals", "--fs2k"):
                words.add_argument(name, type=Path, required=True)
        elif verb is train:
            words.add_argument("folders", type=Path, nargs="+")
            words.add_argument("--steps", type=int, default=2400)
        else:
            words.add_argument("folder", type=Path)
        if verb is people:
            words.add_argument("--faces", type=Path, required=True)
        elif verb is not pairs:
            words.add_argument("--direction", choices=DIRECTIONS, default=DIRECTIONS[0])
    given = parser.parse_args()
    given.verb(given)


if __name__ == "__main__":
    main()
