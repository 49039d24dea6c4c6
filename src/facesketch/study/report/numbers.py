"""Numbers as the report prints them, in significant digits and readable units, and what each measure means."""

from __future__ import annotations

from facesketch.metrics.bootstrap import Interval

MINUS = "\N{MINUS SIGN}"
_PERCENT = ("rank-", "nlda")


def number(value: float, metric: str = "") -> str:
    """Return a value of a metric: rates as per cent, decibels with two digits, others with three."""
    if metric.startswith(_PERCENT):
        text = f"{100 * value:.1f} %"
    elif metric == "psnr":
        text = f"{value:.2f}"
    else:
        text = f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return text.replace("-", MINUS)


def interval(ends: Interval, metric: str = "") -> str:
    """Return `low to high` in the digits of the metric."""
    return f"{number(ends.low, metric).removesuffix(' %')} to {number(ends.high, metric)}"


def listed(names: list[str]) -> str:
    """Return names joined as in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


_MEANINGS = """
psnr | PSNR | higher | How small the squared difference in grey is, in decibels.
ssim | SSIM | higher | Agreement of brightness, contrast and structure in small windows; 1 for equal pictures.
ms-ssim | MS-SSIM | higher | SSIM at five scales, from fine to coarse.
fsim | FSIM | higher | Agreement of edges and lines, by phase congruency and gradient; this report ranks by it.
fsimc | FSIMc | higher | FSIM with a term for colour; equal to FSIM if the colours are exact.
scoot | Scoot | higher | Agreement of the texture and the strokes of sketches, block by block.
lpips-alex | LPIPS (alex) | lower | Distance between AlexNet features, fitted to what people call alike.
lpips-vgg | LPIPS (vgg) | lower | Distance between VGG16 features, fitted in the same way.
identity | identity | higher | How similar SFace finds the faces in result and target (a cosine).
frechet-vgg16 | Fréchet, VGG16 | lower | Distance of all results from all true pictures, as clouds of features; not FID.
kernel-vgg16 | kernel, VGG16 | lower | Another distance between the two clouds, unbiased even for few pictures.
rank | rank-k | higher | Share of people whose photo is among the k most similar, comparing raw grey pixels.
rank-hog | rank-k, HOG | higher | The same share, comparing histograms of oriented gradients.
rank-sface | rank-k, SFace | higher | The same share, comparing with a face recognition network.
nlda | NLDA | higher | Share recognised by null-space linear discriminants, learned on some of the test people.
"""
MEANINGS = {name: rest for name, *rest in (line.split(" | ") for line in _MEANINGS.strip().splitlines())}
"""By name: the title, which values are better, and the meaning."""


def family_of(metric: str) -> str:
    """Return the key of `MEANINGS` under which a measure is explained."""
    if metric.startswith("rank"):
        route = metric.rpartition("-")[2]
        return f"rank-{route}" if f"rank-{route}" in MEANINGS else "rank"
    return "nlda" if metric.startswith("nlda") else metric
