"""What a header says has to be done to a picture."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.errors import ConfigError, FaceError
from facesketch.faces import FaceFrame
from facesketch.faces.colours import AUTO, Colours

OLD = (
    '{"range": [-1.0, 1.0], "colour": "rgb", "photo_channels": 3, "sketch_channels": 1, "longest_side": 64, '
    '"frame": null, "multiple": 8, "padding": "mirrored, centred", "directions": ["photo2sketch"]}'
)


def _needs(**changes: Any) -> Preprocessing:
    return Preprocessing.model_validate_json(OLD).model_copy(update=changes)


def test_headers_from_before_styles_and_faces_are_read() -> None:
    needs = Preprocessing.model_validate_json(OLD)
    assert (needs.styles, needs.faces, needs.frame, needs.longest_side) == ((), None, None, 64)
    assert Preprocessing.model_validate_json(needs.model_dump_json()) == needs


@pytest.mark.parametrize("changed", [('"rgb"', '"bgr"'), ("[-1.0, 1.0]", "[0.0]"), ('"multiple"', '"multiples"')])
def test_a_header_of_another_kind_is_not_misread(changed: tuple[str, str]) -> None:
    with pytest.raises(ValidationError):
        Preprocessing.model_validate_json(OLD.replace(*changed))


FRAME = {"width": 160, "height": 192, "left_eye": [60.5, 80.0], "right_eye": [101.0, 81.0]}


def test_the_frame_of_faces_is_read_and_written_as_plain_numbers() -> None:
    needs = Preprocessing.model_validate_json(OLD[:-1] + f', "faces": {json.dumps(FRAME)}}}')
    assert needs.faces == FaceFrame(160, 192, (60.5, 80.0), (101.0, 81.0))
    assert json.loads(needs.model_dump_json())["faces"] == FRAME


@pytest.mark.parametrize(
    "faces",
    [
        {},
        {key: FRAME[key] for key in ("width", "height", "left_eye")},
        *(FRAME | wrong for wrong in ({"right_eye": 5}, {"width": "wide"}, {"more": 1})),
        *(FRAME | wrong for wrong in ({"right_eye": [60.5, 80.0]}, {"right_eye": [225, 125]})),
        [200, 250],
    ],
)
def test_a_damaged_frame_is_refused(faces: object) -> None:
    with pytest.raises((ValidationError, FaceError)):
        Preprocessing.model_validate_json(OLD[:-1] + f', "faces": {json.dumps(faces)}}}')


def test_channels_depend_on_the_direction() -> None:
    needs = _needs()
    assert (needs.source_channels("photo2sketch"), needs.source_channels("sketch2photo")) == (3, 1)


def test_a_style_is_a_row_of_weights() -> None:
    needs = _needs(styles=("pen", "chalk", "ink"))
    assert needs.conditions("ink", AUTO, 2).tolist() == [[0, 0, 1], [0, 0, 1]]
    assert needs.conditions(None, AUTO, 1).tolist() == [[1, 0, 0]]
    assert needs.conditions("pen", AUTO, 0).shape == (0, 3)
    assert needs.conditions("pen", AUTO, 1).dtype == np.float32
    with pytest.raises(ConfigError, match="style 'chark'; did you mean 'chalk'"):
        needs.conditions("chark", AUTO, 1)
    with pytest.raises(ConfigError, match="style 'xyz'; known: pen, chalk, ink"):
        needs.conditions("xyz", AUTO, 1)


def test_colours_follow_the_styles_and_the_model_has_to_take_them() -> None:
    needs = _needs(styles=("pen", "ink"), colours=("skin", "background"))
    told = needs.conditions("ink", Colours(skin=(75.0, 20.0, -20.0)), 2)
    assert told.tolist() == [[0, 1, 1, 1, 1, -1, 0, 0, 0, 0]] * 2
    assert needs.conditions(None, AUTO, 1).tolist() == [[1] + [0] * 9]
    assert _needs(colours=("skin",)).conditions(None, AUTO, 1).tolist() == [[1, 0, 0, 0, 0]]
    with pytest.raises(ConfigError, match=r"`hair`.*takes skin, background"):
        needs.conditions(None, Colours(hair=(20.0, 0.0, 0.0)), 1)
    with pytest.raises(ConfigError, match=r"`skin`.*takes no colours"):
        _needs(styles=("pen",)).conditions(None, Colours(skin=(60.0, 0.0, 0.0)), 1)
