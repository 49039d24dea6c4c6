"""Locally linear weights of patches (Liu, Tang, Jin, Lu and Ma, CVPR 2005), after Roweis and Saul (2000).

Each patch of the source is written as a weighted sum of the training patches most like it, and the same weights add up
the patches of the other kind that belong to them; where patches overlap, their mean is taken. As in the paper the
weights of a patch add up to one and are those of least squares. Here, as in the field's later comparisons, the like
patches are looked for in a window around the patch's own place, and each comes from another training picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facesketch.methods.families import LLEOptions
from facesketch.methods.patches import PatchMethod, cut, lay, nearest


class LLE(PatchMethod):
    """The composition of `lle`."""

    Options = LLEOptions

    def compose(self, images: Tensor, sources: Tensor, targets: Tensor) -> Tensor:
        """Return the mean of overlapping weighted sums."""
        grid, rows = self.grid, []
        for row, matches in enumerate(nearest(images, sources, grid, self.options.neighbours)):
            top = row * grid.step
            wanted = images[:, 0, top : top + grid.patch].unfold(2, grid.patch, grid.step).permute(0, 2, 1, 3)
            like = cut(sources, matches, grid.patch).flatten(3)
            weights = linear_weights(like, wanted.flatten(2), self.options.regulariser)
            rows.append(torch.einsum("njk,njkyxc->njyxc", weights, cut(targets, matches, grid.patch).float()))
        patches = torch.stack(rows, dim=1)  # (N, rows, columns, p, p, C)
        covered = lay(torch.ones_like(patches[:1, ..., :1]), grid)
        return lay(patches, grid) / covered / 127.5 - 1.0


def linear_weights(neighbours: Tensor, wanted: Tensor, regulariser: float) -> Tensor:
    """Return the weights (..., K), one in sum, by which neighbours (..., K, D) come nearest to what is wanted (..., D).

    The regulariser is added to the diagonal of the differences' products, as a share of its sum.
    """
    differences = neighbours - wanted[..., None, :]
    products = differences @ differences.mT  # (..., K, K)
    diagonal = products.diagonal(dim1=-2, dim2=-1)
    extra = regulariser * diagonal.sum(dim=-1) + 1e-6
    products = products + extra[..., None, None] * torch.eye(diagonal.shape[-1], device=products.device)
    weights = torch.linalg.solve(products, torch.ones_like(diagonal))
    return weights / weights.sum(dim=-1, keepdim=True)
