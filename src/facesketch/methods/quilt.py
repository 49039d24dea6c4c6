"""Patches joined along the cut of the least error (Efros and Freeman, SIGGRAPH 2001)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from facesketch.methods.patches import Grid


def quilt(patches: Tensor, grid: Grid) -> Tensor:
    """Join the patches of each row, and then the rows.

    Args:
        patches: (rows, columns, p, p, C); neighbours share at most half of a patch.
        grid: where they lie.

    Returns:
        (C, S, S).
    """
    patches = patches.permute(0, 1, 4, 2, 3)  # (rows, columns, C, p, p)
    strips = _join(patches, grid.step)  # (rows, C, p, S)
    return _join(strips.mT[None], grid.step)[0].mT


def _join(patches: Tensor, step: int) -> Tensor:
    """Join patches side by side, every cut from top to bottom.

    Args:
        patches: (..., J, C, H, p).
        step: columns from one to the next.

    Returns:
        (..., C, H, W).
    """
    width, count = patches.shape[-1], patches.shape[-4]
    shared = width - step
    if count > 1 and shared:
        error = (patches[..., :-1, :, :, step:] - patches[..., 1:, :, :, :shared]).square().sum(dim=-3)
        place = least_cut(error)[..., None]  # (..., J - 1, H, 1)
        right = torch.arange(shared, device=patches.device) >= place  # where the right one of two is seen
        seen = patches.new_ones(*patches.shape[:-3], 1, *patches.shape[-2:])
        seen[..., 1:, 0, :, :shared] *= right
        seen[..., :-1, 0, :, step:] *= ~right
        patches = patches * seen
    stacked = patches.movedim(-4, -1).flatten(0, -5).flatten(1, -2)  # (…, C * H * p, J)
    height, whole = patches.shape[-2], width + (count - 1) * step
    joined = F.fold(stacked, (height, whole), (height, width), stride=(1, step))
    return joined.view(*patches.shape[:-4], *joined.shape[1:])


def least_cut(error: Tensor) -> Tensor:
    """Return the path from top to bottom of the least error, which moves by at most a column a row.

    Args:
        error: (..., H, W), at least 0.

    Returns:
        (..., H), the column of each row.
    """
    costs = [error[..., 0, :]]
    for row in range(1, error.shape[-2]):
        costs.append(error[..., row, :] + _three(costs[-1]).amin(dim=-1))
    path = [costs[-1].argmin(dim=-1, keepdim=True)]
    for cost in costs[-2::-1]:
        below = path[-1]
        around = _three(cost).gather(-2, below[..., None].expand(*below.shape, 3))  # (..., 1, 3)
        path.append(below + around.argmin(dim=-1) - 1)
    return torch.cat(path[::-1], dim=-1)


def _three(cost: Tensor) -> Tensor:
    """Return each column's cost with those of its neighbours, (..., W, 3); beyond the edges it is infinite."""
    return F.pad(cost, (1, 1), value=float("inf")).unfold(-1, 3, 1)
