"""Requests and answers of the API as pydantic models, from which the OpenAPI document is made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from facesketch.config import Direction, Frozen
from facesketch.faces.colours import Part
from facesketch.inference.translator import Resolution

_Name = Annotated[str, Field(min_length=1, max_length=100)]


class _Form(Frozen):
    """The fields that come with a picture; unknown ones are refused."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid", frozen=True, allow_inf_nan=False)


class TranslateForm(_Form):
    """How to translate a picture."""

    direction: Direction | None = None
    """What to draw; by default the server tells whether the picture is a photo or a sketch."""
    model: _Name | None = None
    """An id from `/v1/models`; by default the package's own model."""
    style: _Name | None = None
    """One of the model's styles; by default its first."""
    skin: _Name | None = None
    """Skin colour in a photo drawn from a sketch: 1 (lightest) to 10 on the Monk scale, a CSS colour, or auto."""
    hair: _Name | None = None
    """Hair colour: a CSS colour, or auto."""
    background: _Name | None = None
    """Background colour: a CSS colour, or auto; light grey if you give none."""
    variants: bool = False
    """Draw the photo three times, side by side, in a light, a medium and a dark tone of skin."""
    face: Annotated[int, Field(ge=1, le=1000)] = 1
    """Which face to draw, if the model frames faces; 1 is the largest."""
    align: bool = True
    """Find and frame a face, if the model was trained on framed faces."""
    margin: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Draw more around the face: add this share of the frame on each side."""
    whole: bool = False
    """Draw the whole picture instead of the frame."""
    size: _Name | None = None
    """Size at which to draw, 200x250 or 400x500; by default 400x500 for photos and for sketches of large faces."""
    resolution: Resolution = "trained"
    """Work at the size that the model was trained at, or at the picture's own size."""


class SearchForm(_Form):
    """How to search a gallery."""

    top: Annotated[int, Field(ge=1, le=100)] = 10
    """How many hits to return."""
    route: Literal["direct", "to-photo", "to-sketch", "fused"] = "fused"
    """How to compare sketch and photos."""
    prior: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """How likely it is, before the search, that the person is in the gallery at all."""
    face: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Which face of the sketch to search with; 1 is the largest. Needed if the sketch shows several."""
    where: str = ""
    """Search only photos with these `column=value` in the gallery's table of people; separate several by commas."""


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, frozen=True)


class FaceFound(_Answer):
    """The face that was framed."""

    box: tuple[float, float, float, float]
    """Left, top, width and height in pixels of the upload, after its EXIF orientation is applied."""


class Translated(_Answer):
    """A translation and what it was made from."""

    direction: Direction
    model: str
    style: str | None
    """null if the model has only one."""
    width: int
    height: int
    faces: int
    """How many faces the picture shows; 0 if the server did not look for any."""
    face: FaceFound | None
    turned: Literal[0, 90, 180, 270]
    """How many degrees clockwise the upload was turned to show the face upright."""
    source: str
    """What was translated, as a `data:` URL of a JPEG of the same size as the result or one of its `variants`."""
    result: str
    """The translation, as a `data:` URL of a PNG."""
    notice: str
    """A note for the user if the upload was turned; else empty."""


class Model(_Answer):
    """A model that requests can name."""

    id: str
    title: str
    directions: list[Direction]
    styles: dict[Direction, list[str]]
    """The styles of each direction; none if it has only one."""
    sizes: dict[Direction, list[str]]
    """The sizes at which the model draws a framed face, in each direction; none if it does not look for faces."""
    colours: list[Part]
    """The colours that the model takes as hints when it draws a photo."""
    faces: bool
    """Whether it was trained on framed faces."""
    native: bool
    """Whether the model can work at the picture's own size."""
    size: int | None
    """Pixels of the longer side that the model works at; null for the picture's own size."""
    default: bool


class Bounds(_Answer):
    """Limits on uploads."""

    bytes: int
    pixels: int


class Health(_Answer):
    """State of the server."""

    status: Literal["ok"]
    version: str
    models: list[str]
    gallery: int | None
    """Photos in the gallery; null without one."""
    runs: bool
    """Whether the server shows trainings."""
    queue: int
    """Requests that are arriving, waiting or running."""
    limits: Bounds


class GalleryInfo(_Answer):
    """What the gallery holds."""

    count: int
    people: int
    version: int
    fingerprint: str
    embedder: str
    indexed: bool
    routes: list[str]
    lead: str
    """The warning to show beside every hit."""


class Hit(_Answer):
    """A photo of the gallery that resembles the sketch."""

    place: int
    person: str
    label: str
    score: float
    """How alike sketch and photo are, -1 to 1; larger is more alike."""
    chance: float | None
    """How likely the hit is the right person; null if the gallery has too few people to tell."""
    picture: str
    """The path of the hit's picture on this server; it is valid for a while."""


class Probe(_Answer):
    """A picture that you searched with."""

    framed: str
    """The face in the frame, as a `data:` URL."""
    translated: str | None
    """The photo made from the sketch, as a `data:` URL; null for a photo."""
    turned: Literal[0, 90, 180, 270]
    """How many degrees clockwise the upload was turned to show the face upright."""


class Hits(_Answer):
    """What a search found."""

    hits: list[Hit]
    absent: float | None
    """The chance that the person is not among the photos searched; null if they show too few people to tell."""
    elsewhere: float | None
    """The chance that the person is among them but not among the hits; null if `absent` is."""
    verdict: str
    """The answer in one sentence."""
    lead: str
    """What a hit is, and what it is not."""
    route: str
    size: int
    """How many photos were compared."""
    probes: list[Probe]
    """The pictures that you sent, in that order."""
    notice: str
    """A note for the user if a picture was turned or taken for a photo, or fewer photos were searched; else empty."""


class Run(_Answer):
    """A training."""

    id: str
    method: str | None
    """null if the folder cannot be read; then `direction` is null too."""
    direction: Direction | None
    state: Literal["waiting", "running", "stopped", "ended", "unreadable"]
    """`running` and `waiting` (not begun yet) mean that a process has the folder open."""
    reason: str = ""
    """Why the run is `unreadable`."""
    step: int
    steps: int | None
    """The planned number of steps, if known."""
    epoch: int


class RunDetails(Run):
    """A training with its settings, its curves and its samples."""

    config: dict[str, Any]
    losses: dict[str, list[tuple[int, float]]]
    """Up to 300 points (step, value) of each loss, evenly spaced over the run."""
    validation: dict[str, list[tuple[int, float]]]
    """Up to 300 points (step, value) of each validation metric."""
    samples: list[int]
    """Epochs that have a sample sheet."""


def multipart(form: type[_Form], most: int = 1) -> dict[str, Any]:
    """Return the documentation of a body that holds a picture, or at most so many, and the fields of a form."""
    schema = form.model_json_schema()
    properties = {name: _never_null(field) for name, field in schema["properties"].items()}
    picture: dict[str, Any] = {"type": "string", "format": "binary", "description": "The picture."}
    if most > 1:
        told = f"1 to {most} pictures of one person."
        picture = {"type": "array", "items": picture, "minItems": 1, "maxItems": most, "description": told}
    body = {
        "type": "object",
        "properties": {"file": picture, **properties},
        "required": ["file"],
        "additionalProperties": False,
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": body}}}}


def _never_null(field: dict[str, Any]) -> dict[str, Any]:
    """Return a field's schema without null, which stands for a missing field and which no form can send."""
    kinds = [each for each in field.get("anyOf", []) if each.get("type") != "null"]
    if len(kinds) != 1:
        return field
    rest = {key: value for key, value in field.items() if key not in {"anyOf", "default"}}
    return {**rest, **kinds[0]}
