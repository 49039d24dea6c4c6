"""Patches chosen together (Wang and Tang, PAMI 2009), by a Markov network over the grid of patches.

For each patch of the source the training patches most like it are candidates. Which of them is taken is decided for the
whole picture at once: a candidate costs its difference from the source, and two neighbours cost the difference of their
target patches where they overlap. As in the paper, belief propagation looks for the cheapest choice, and patches are
joined along the cut of the least error (Efros and Freeman, 2001). The paper's second, coarser layer of patches is left
out, sources are compared in grey, and each candidate comes from another training picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from facesketch.methods.families import MRFOptions
from facesketch.methods.patches import Grid, Matches, PatchMethod, cut, nearest


class MRF(PatchMethod):
    """The composition of `mrf`."""

    Options = MRFOptions

    def compose(self, images: Tensor, sources: Tensor, targets: Tensor) -> Tensor:
        """Return the candidates that go together best, joined."""
        rows = list(nearest(images, sources, self.grid, self.options.neighbours))
        return torch.stack([self._one(rows, place, targets) for place in range(len(images))])

    def _one(self, rows: list[Matches], place: int, targets: Tensor) -> Tensor:
        parts = ("distance", "picture", "top", "left")
        matches = Matches(*(torch.stack([getattr(row, part)[place] for row in rows]) for part in parts))
        patches = cut(targets, matches, self.grid.patch).float() / 127.5 - 1.0  # (rows, columns, K, p, p, C)
        across, down = (self.options.smoothness * seams for seams in self._seams(patches))
        chosen = cheapest(matches.distance, across, down, self.options.rounds)
        index = chosen[..., None, None, None, None].expand(-1, -1, 1, *patches.shape[3:])
        return quilt(patches.gather(2, index)[:, :, 0], self.grid)

    def _seams(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return what each pair of candidates side by side, and one above the other, differ by where they overlap."""
        step, shared = self.grid.step, self.grid.patch - self.grid.step
        right, left = patches[:, :-1, :, :, step:], patches[:, 1:, :, :, :shared]
        bottom, top = patches[:-1, :, :, step:], patches[1:, :, :, :shared]
        channels = patches.shape[-1]
        return tuple(  # type: ignore[return-value]
            torch.cdist(one.flatten(3), other.flatten(3)).square() / channels
            for one, other in ((right, left), (bottom, top))
        )


def cheapest(data: Tensor, across: Tensor, down: Tensor, rounds: int) -> Tensor:
    """Return a choice of the least cost on a grid, found by belief propagation (min-sum).

    On a chain it comes to the cheapest choice of all as the rounds go on; on a grid with its loops, to a good one.

    Args:
        data: (H, W, K), what each choice costs alone.
        across: (H, W - 1, K, K), what a choice costs beside its right neighbour's.
        down: (H - 1, W, K, K), what it costs above its lower neighbour's.
        rounds: how often all pass on what they believe.

    Returns:
        (H, W), the places of the choices.
    """
    from_left, from_right, from_above, from_below = (torch.zeros_like(data) for _ in range(4))
    for _ in range(rounds):
        belief = data + from_left + from_right + from_above + from_below
        coming = (
            (from_left[:, 1:], ((belief - from_right)[:, :-1, :, None] + across).amin(dim=-2)),
            (from_right[:, :-1], ((belief - from_left)[:, 1:, None, :] + across).amin(dim=-1)),
            (from_above[1:], ((belief - from_below)[:-1, :, :, None] + down).amin(dim=-2)),
            (from_below[:-1], ((belief - from_above)[1:, :, None, :] + down).amin(dim=-1)),
        )
        for message, new in coming:
            message.lerp_(new - new.amin(dim=-1, keepdim=True), 0.5)  # undamped, loops may swing for ever
    return (data + from_left + from_right + from_above + from_below).argmin(dim=-1)


def quilt(patches: Tensor, grid: Grid) -> Tensor:
    """Join the patches of each row, and then the rows, along the cuts of the least error (Efros and Freeman 2001).

    (rows, columns, p, p, C) -> (C, S, S); neighbours share at most half of a patch.
    """
    patches = patches.permute(0, 1, 4, 2, 3)  # (rows, columns, C, p, p)
    strips = _join(patches, grid.step)  # (rows, C, p, S)
    return _join(strips.mT[None], grid.step)[0].mT


def _join(patches: Tensor, step: int) -> Tensor:
    """Join (..., J, C, H, p) patches side by side to (..., C, H, W), every cut from top to bottom."""
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
    """Return the column of each row, (..., H), on the path down through (..., H, W) of the least error.

    It moves by at most a column a row.
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
