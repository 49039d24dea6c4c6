"""The frame for faces."""

from __future__ import annotations

from typing import Any

import pytest

from facesketch.errors import FaceError
from facesketch.faces import FaceFrame


def test_the_default_is_that_of_the_published_crops() -> None:
    frame = FaceFrame()
    assert (frame.width, frame.height, frame.eyes) == (200, 250, ((75.0, 125.0), (125.0, 125.0)))
    assert frame.eye_distance == 50.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 4},
        {"left_eye": (-1.0, 125.0)},
        {"right_eye": (125.0, 251.0)},
        {"left_eye": (125.0, 125.0)},
    ],
)
def test_a_frame_that_holds_no_face_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(FaceError, match="expected"):
        FaceFrame(**wrong)
