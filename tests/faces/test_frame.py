"""The frame for faces, and its description in a model's header."""

from __future__ import annotations

import json
from typing import Any

import pytest

from facesketch.errors import CheckpointError, FaceError
from facesketch.faces import FaceFrame


def test_the_default_is_that_of_the_published_crops() -> None:
    frame = FaceFrame()
    assert (frame.width, frame.height, frame.eyes) == (200, 250, ((75.0, 125.0), (125.0, 125.0)))
    assert frame.eye_distance == 50.0


def test_a_header_that_went_through_json_gives_the_same_frame() -> None:
    frame = FaceFrame(160, 192, (60.5, 80.0), (101.0, 81.0))
    assert FaceFrame.from_header(json.loads(json.dumps(frame.header()))) == frame


def test_no_header_gives_no_frame() -> None:
    assert FaceFrame.from_header(None) is None


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"width": 200, "height": 250, "left_eye": [75, 125]},
        {"width": 200, "height": 250, "left_eye": [75, 125], "right_eye": 5},
        {"width": "wide", "height": 250, "left_eye": [75, 125], "right_eye": [125, 125]},
        {"width": 200, "height": 250, "left_eye": [75, 125], "right_eye": [75, 125]},
        {"width": 200, "height": 250, "left_eye": [75, 125], "right_eye": [225, 125]},
        [200, 250],
    ],
)
def test_a_damaged_header_is_told_in_one_line(header: Any) -> None:
    with pytest.raises(CheckpointError, match=r"header describes its faces as .*; expected width") as raised:
        FaceFrame.from_header(header)
    assert "\n" not in str(raised.value)


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
