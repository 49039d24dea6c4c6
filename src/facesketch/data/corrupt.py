"""Domain randomisation: corrupt training inputs as other cameras, lamps and scanners would.

The target stays as it is, so the network learns to ignore the corruption. Each picture gets its own, drawn from torch's
random state, which a training keeps with its weights.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_CORRUPTED = 0.7  # share of the pictures; the others stay as the data has them
_PLAIN = 0.02  # variance of the upper corners, in [-1, 1], under which a background counts as plain
_NEAR = 0.35  # distance in colour, over the channels, within which a pixel belongs to a plain background


def corrupt(images: Tensor, strength: float = 1.0, rough: float = 0.0, *, sketches: bool) -> Tensor:
    """Return corrupted pictures.

    Photos get another exposure and gamma, light from one side, grain, and some of them blur; those in colour also
    another colour cast and saturation, and another background where theirs is plain. Sketches get another paper,
    contrast, shadow and line width, and some of them blur. A strip along one side of some pictures is black, as turning
    leaves it.

    Args:
        images: (N, 1 or 3, H, W) in [-1, 1].
        strength: 0 changes nothing; 1 changes pictures as much as those from elsewhere differ.
        rough: share of the sketches that are made to look as if someone who cannot draw drew them: outlines without
            shading, lines that wobble, lines with gaps.
        sketches: whether the pictures are sketches.

    Returns:
        The same shape, in [-1, 1].
    """
    if strength == rough == 0:
        return images
    before = unit = (images.float() + 1) / 2
    if rough and sketches:
        before = unit = _rough(unit, rough)
    if sketches:
        unit = _retraced(unit, strength)
    elif images.shape[1] == 3:
        unit = _new_background(unit, strength)
        unit = _cast(unit, strength)
    unit = _exposed(unit, strength * (0.5 if sketches else 1.0))
    unit = _lit_from_a_side(unit, strength)
    unit = _blurred(unit, strength)
    unit = (unit + torch.randn_like(unit) * _each(unit, 0.0, 0.04 * strength)).clamp(0, 1)
    unit = _cornered(unit, strength)
    chosen = _some(unit, _CORRUPTED)
    return (unit * chosen + before * (1 - chosen)) * 2 - 1


def _each(like: Tensor, low: float, high: float, channels: int = 1) -> Tensor:
    """Return one number per picture (and channel), uniform: (N, channels, 1, 1)."""
    return torch.empty(len(like), channels, 1, 1, device=like.device).uniform_(low, high)


def _some(like: Tensor, share: float) -> Tensor:
    """Return 1 for a random share of the pictures, 0 for the others: (N, 1, 1, 1)."""
    return (torch.rand(len(like), 1, 1, 1, device=like.device) < share).float()


def _exposed(unit: Tensor, strength: float) -> Tensor:
    """Change gamma and gain, as in dark pictures, skins of every tone and bleached snapshots."""
    gamma = torch.exp(_each(unit, -0.7 * strength, 0.8 * strength))
    gain = torch.exp(_each(unit, -0.3 * strength, 0.15 * strength))
    return (unit.clamp(1e-4, 1) ** gamma * gain).clamp(0, 1)


def _cast(unit: Tensor, strength: float) -> Tensor:
    """Change the colour of the light and the saturation, for some down to grey."""
    light = torch.exp(_each(unit, -0.2 * strength, 0.2 * strength, channels=3))
    grey = unit.mean(dim=1, keepdim=True)
    saturation = _each(unit, 1 - 0.6 * strength, 1 + 0.4 * strength) * (1 - _some(unit, 0.15 * strength))
    return ((grey + (unit - grey) * saturation) * light).clamp(0, 1)


def _across(unit: Tensor) -> Tensor:
    """Return a slope from -1 to 1 in a random direction for each picture: (N, 1, H, W)."""
    angle = _each(unit, 0, 2 * math.pi)
    rows = torch.linspace(-1, 1, unit.shape[-2], device=unit.device).view(1, 1, -1, 1)
    columns = torch.linspace(-1, 1, unit.shape[-1], device=unit.device).view(1, 1, 1, -1)
    return (columns * angle.cos() + rows * angle.sin()) / math.sqrt(2)


def _lit_from_a_side(unit: Tensor, strength: float) -> Tensor:
    return (unit * (1 + _each(unit, 0, 0.5 * strength) * _some(unit, 0.5) * _across(unit))).clamp(0, 1)


def _blurred(unit: Tensor, strength: float) -> Tensor:
    """Blur some pictures by a small binomial filter, once or twice."""
    for share in (0.3, 0.15):
        smooth = F.avg_pool2d(F.pad(unit, (0, 1, 0, 1), mode="replicate"), 2, stride=1)
        smooth = F.avg_pool2d(F.pad(smooth, (1, 0, 1, 0), mode="replicate"), 2, stride=1)
        chosen = _some(unit, share * strength)
        unit = smooth * chosen + unit * (1 - chosen)
    return unit


def _cornered(unit: Tensor, strength: float) -> Tensor:
    """Blacken what lies beyond a line that nearly follows one of the sides, or cuts off a corner."""
    tilt, reach = _each(unit, -0.12, 0.12), _each(unit, 0.0, 0.12)  # radians; of half the side
    tall, wide = unit.shape[-2:]
    rows = torch.linspace(-1, 1, tall, device=unit.device).view(1, 1, -1, 1).expand(1, 1, tall, wide)
    columns = torch.linspace(-1, 1, wide, device=unit.device).view(1, 1, 1, -1).expand(1, 1, tall, wide)
    upright, far = _some(unit, 0.5), _some(unit, 0.5) * 2 - 1
    along = (columns * upright + rows * (1 - upright)) * far  # 1 at the side
    across = rows * upright + columns * (1 - upright)
    beyond = (along + tilt * across > 1 + tilt.abs() * 0.5 - reach).float() * _some(unit, 0.5 * strength)
    return unit * (1 - beyond)


def _retraced(unit: Tensor, strength: float) -> Tensor:
    """Thicken the lines of some sketches by a pixel, and thin those of others."""
    thick = -F.max_pool2d(-unit, 3, stride=1, padding=1)
    thin = F.max_pool2d(unit, 3, stride=1, padding=1)
    share = _each(unit, 0, 0.6 * strength) * _some(unit, 0.4)
    other = torch.where(_some(unit, 0.5) > 0, thick, thin)
    return unit + (other - unit) * share


def _rough(unit: Tensor, share: float) -> Tensor:
    """Take the shading from some sketches, let the lines of some wobble, and break those of others."""
    tall, wide = unit.shape[-2:]
    shade = F.interpolate(F.avg_pool2d(unit, 9, stride=1, padding=4, count_include_pad=False), size=(tall, wide))
    outlines = (1 - (shade - unit).clamp(min=0) * _each(unit, 1.5, 4.0)).clamp(0, 1)
    unit = torch.where(_some(unit, 0.6 * share) > 0, outlines, unit)

    reach = _each(unit, 0.0, 5.0) * _some(unit, 0.7 * share) * 2 / wide  # in units of half a side, as the grid is
    places = torch.rand(len(unit), 2, 9, 8, device=unit.device) * 2 - 1
    wobble = F.interpolate(places, size=(tall, wide), mode="bicubic", align_corners=True) * reach
    still = torch.eye(2, 3, device=unit.device).expand(len(unit), 2, 3)
    grid = F.affine_grid(still, [len(unit), 1, tall, wide], align_corners=False) + wobble.permute(0, 2, 3, 1)
    unit = F.grid_sample(unit, grid, padding_mode="reflection", align_corners=False)

    cloud = F.interpolate(torch.rand(len(unit), 1, 24, 20, device=unit.device), size=(tall, wide), mode="bilinear")
    kept = ((cloud - _each(unit, 0.1, 0.5)) * 8).clamp(0, 1)
    kept = torch.where(_some(unit, 0.4 * share) > 0, kept, torch.ones_like(kept))
    return 1 - (1 - unit) * kept


def _new_background(unit: Tensor, strength: float) -> Tensor:
    """Replace most plain backgrounds by a colour, a slope, or another picture."""
    mask = _plain_background(unit) * _some(unit, 0.8 * strength)  # (N, 1, H, W)
    first, second = _each(unit, 0, 1, channels=3), _each(unit, 0, 1, channels=3)
    slope = (_across(unit) + 1) / 2
    plain = first + (second - first) * slope * _some(unit, 0.6)
    other = unit.roll(1, dims=0).flip(-2)  # upside down, so that no second face appears
    patchy = F.interpolate(F.avg_pool2d(other, 8), size=unit.shape[-2:], mode="bilinear", align_corners=False)
    busy = torch.where(_some(unit, 0.5) > 0, other, patchy)
    return unit * (1 - mask) + torch.where(_some(unit, 0.6) > 0, busy, plain) * mask


def _plain_background(unit: Tensor) -> Tensor:
    """Return where a background of one colour is, (N, 1, H, W) in [0, 1]; nowhere in pictures whose corners differ."""
    side = max(unit.shape[-1] // 8, 1)
    corners = torch.cat([unit[..., :side, :side], unit[..., :side, -side:]], dim=-1)  # (N, 3, side, 2 side)
    colour = corners.mean(dim=(2, 3), keepdim=True)
    is_plain = corners.var(dim=(2, 3)).mean(dim=1) < _PLAIN / 4  # a quarter: variance in [0, 1], not [-1, 1]
    distance = (unit - colour).abs().sum(dim=1, keepdim=True)
    smooth = F.avg_pool2d(distance, 3, stride=1, padding=1, count_include_pad=False)
    return ((_NEAR - smooth) / (0.3 * _NEAR)).clamp(0, 1) * is_plain.float().view(-1, 1, 1, 1)
