"""The pencil filter: grey, inverted, blurred, dodged. Nothing is learned; a baseline that every model has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import Direction, configure
from facesketch.faces.colours import AUTO, Colours
from facesketch.images.io import LUMA
from facesketch.methods.registry import resolve


class PencilEngine:
    """Draws by colour dodge: result = grey / (1 - blur(1 - grey)).

    Args:
        sigma: width of the blur, in pixels of a picture 256 high.
    """

    preprocessing = Preprocessing(
        photo_channels=3, sketch_channels=1, longest_side=None, frame=None, multiple=1, directions=("photo2sketch",)
    )

    def __init__(self, sigma: float = 5.0) -> None:
        self.config = resolve(configure("pencil", {"sigma": sigma}))
        self._sigma = sigma

    def run(
        self,
        images: NDArray[np.float32],
        direction: Direction,
        style: str | None = None,
        colours: Colours = AUTO,
    ) -> NDArray[np.float32]:
        """Draw (N, 3, H, W) photos in [-1, 1] as grey sketches (N, 1, H, W), as every engine does."""
        self.preprocessing.conditions(style, colours, len(images))  # refuses both, as it has none
        grey = np.einsum("nchw,c->nhw", (images + 1) / 2, np.array(LUMA, np.float32))
        sigma = self._sigma * max(grey.shape[1:]) / 256
        blurred = [_blurred(each, sigma) for each in grey]
        sketch = (grey / np.maximum(blurred, 1e-3)).clip(0, 1)  # the blurred negative is one minus the blurred picture
        return np.asarray(2 * sketch - 1, dtype=np.float32)[:, None]


def _blurred(grey: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return a grey picture blurred by a Gaussian of at most 3 sigma; the border's pixels repeat beyond it."""
    reach = max(1, int(3 * sigma + 0.5))
    curve = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    for _ in range(2):  # down, then across
        block = min(2 * reach, len(grey))  # rows at a time: NumPy is quickest with products of matrices
        weights = np.array([np.pad(curve / curve.sum(), (row, block - 1 - row)) for row in range(block)], np.float32)
        padded = np.pad(grey, ((reach, reach + block), (0, 0)), "edge")
        rows = [weights @ padded[start : start + 2 * reach + block] for start in range(0, len(grey), block)]
        grey = np.concatenate(rows)[: len(grey)].T
    return grey
