"""What a header says has to be done to a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.errors import ConfigError

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


def test_channels_depend_on_the_direction() -> None:
    needs = _needs()
    assert (needs.source_channels("photo2sketch"), needs.target_channels("photo2sketch")) == (3, 1)
    assert (needs.source_channels("sketch2photo"), needs.target_channels("sketch2photo")) == (1, 3)


def test_a_style_is_a_row_of_weights() -> None:
    needs = _needs(styles=("pen", "chalk", "ink"))
    assert needs.style_weights("ink", 2).tolist() == [[0, 0, 1], [0, 0, 1]]
    assert needs.style_weights(None, 1).tolist() == [[1, 0, 0]]
    assert needs.style_weights("pen", 0).shape == (0, 3)
    assert needs.style_weights("pen", 1).dtype == np.float32
    with pytest.raises(ConfigError, match="style 'chark'; did you mean 'chalk'"):
        needs.style_weights("chark", 1)
    with pytest.raises(ConfigError, match="style 'xyz'; known: pen, chalk, ink"):
        needs.style_weights("xyz", 1)
