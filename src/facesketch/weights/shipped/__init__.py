"""The models that come with the package: ONNX in half precision, one per direction from `facesketch train portrait`.

docs/model-cards.md says what they learned from, what they are good for and how they fail. YuNet, which finds the faces,
is Shiqi Yu's, under the MIT licence in LICENSE-YuNet.
"""

from __future__ import annotations

from pathlib import Path

from facesketch.errors import CheckpointError

MODELS = {"photo2sketch": "photo2sketch.onnx", "sketch2photo": "sketch2photo.onnx"}
YUNET = Path(__file__).with_name("face_detection_yunet_2023mar_int8bq.onnx")


def path(direction: str) -> Path:
    """Return the model file of a direction.

    Raises:
        CheckpointError: the package was installed without it.
    """
    file = Path(__file__).with_name(MODELS[direction])
    if not file.is_file():
        raise CheckpointError(
            f"{file}: the model that comes with the package is not there", "install facesketch again, or give a `model`"
        )
    return file


def own(name: str | Path) -> Path | None:
    """Return the model file of a direction that is given in place of a path; None for a path.

    Raises:
        CheckpointError: the package was installed without it.
    """
    return path(str(name)) if str(name) in MODELS and not Path(name).exists() else None


def details(model: str | Path) -> Path | None:
    """Return the file of the network that draws faces at 400x500 with this model of the package; None without one."""
    file = Path(__file__).with_name(f"{Path(model).stem}-400x500.onnx")
    return file if Path(model).parent == file.parent and file.is_file() else None
