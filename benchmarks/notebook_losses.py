"""Train the study's autoencoders with the flaws of its notebooks put back, and print their validation losses.

    python benchmarks/notebook_losses.py DATA --run cae-mse.photo2sketch [--epochs 500] [--out losses]

It shows that these networks reproduce the study's printed losses before the package corrects its protocol. As in the
notebooks, photos lie in [0, 1] and the sketches of the CAE in [-1, 1], the CAE ends in a ReLU, test pairs are rotated
and mirrored too, and validation is on those. Unlike there, every run starts from new weights: the notebooks went on
from one loss to the next. Their rotations are not known; these are the package's.

docs/results.md sets the losses beside the study's own and beside those of the sound protocol.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import cyclopts
import torch
import torch.nn.functional as F
from torch import Tensor

from facesketch.config import AugmentConfig, DataConfig, Direction
from facesketch.data.datasets import Batch, PairDataset, batches, epoch_keys
from facesketch.data.index import index
from facesketch.data.split import split
from facesketch.methods.conv_ae import ConvAutoencoder
from facesketch.methods.conv_vae import VariationalAutoencoder
from facesketch.methods.losses import kl_divergence

SIDE = 256
NETWORKS = ("cae-mse", "cae-mae", "cae-bce", "cvae-2", "cvae-4", "cvae-12")
DIRECTIONS: tuple[Direction, ...] = ("photo2sketch", "sketch2photo")


def scaled(network: str, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return source and target, (N, 3, S, S), as the notebooks scaled them.

    Photos lie in [0, 1]. Sketches lie in [-1, 1] for the CAE. For the CVAE they must have lain in [0, 1]: with targets
    below 0, its loss falls without end, and the notebooks printed none below 25,000.
    """
    photo = (batch.photo + 1) / 2
    sketch = (batch.sketch + 1) / 2 if network.startswith("cvae") else batch.sketch
    pair = (photo, sketch) if batch.direction == "photo2sketch" else (sketch, photo)
    source, target = (each.contiguous(memory_format=torch.channels_last) for each in pair)
    return source, target


def loss_of(network: str, model: torch.nn.Module, source: Tensor, target: Tensor) -> Tensor:
    """Return the loss that the notebooks printed for a network."""
    if network.startswith("cvae"):
        logits, mean, log_variance = model(source)
        entropy = F.binary_cross_entropy_with_logits(logits.float(), target)
        bound: Tensor = entropy * SIDE**2 + kl_divergence(mean, log_variance)
        return bound
    drawn: Tensor = model(source).float().relu()
    if network == "cae-mse":
        return F.mse_loss(drawn, target)
    if network == "cae-mae":
        return F.l1_loss(drawn, target)
    drawn = drawn.clamp(1e-7, 1 - 1e-7)  # as Keras does
    likelihood = target * drawn.log() + (1 - target) * (1 - drawn).log()
    return -likelihood.mean()


def train(data: Path, run: str, epochs: int) -> list[tuple[float, float]]:
    """Return the mean training loss and the validation loss of every epoch."""
    network, _, direction = run.partition(".")
    torch.manual_seed(0)
    size = int(network.removeprefix("cvae-")) if network.startswith("cvae") else 0
    model = VariationalAutoencoder(3, 3, SIDE, latent=size) if size else ConvAutoencoder(3, 3, SIDE)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as the package trains it
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    sides = split(index(data).pairs, validation=0)
    config = DataConfig(folder=data, size=SIDE, photo_channels=3, sketch_channels=3)
    augment = AugmentConfig(zoom=0, shift=0, light=0)
    learn, test = (PairDataset(side, config, augment, frame=SIDE) for side in (sides.train, sides.test))
    batch_size, began, losses = 16 if size else 32, time.monotonic(), []
    seen = list(batches(test, epoch_keys(len(test), 50, 0), direction))  # type: ignore[arg-type]
    for epoch in range(epochs):
        total, model = 0.0, model.train()
        for batch in batches(learn, epoch_keys(len(learn), batch_size, epoch), direction):  # type: ignore[arg-type]
            source, target = scaled(network, batch)
            with torch.autocast("cpu", torch.bfloat16):
                loss = loss_of(network, model, source, target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(source) / len(learn)
        model.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            parts = [(loss_of(network, model, *scaled(network, batch)), len(batch.photo)) for batch in seen]
        losses.append((total, sum(loss.item() * count for loss, count in parts) / len(test)))
        if epoch % 10 == 9:
            left = (time.monotonic() - began) / (epoch + 1) * (epochs - epoch - 1)
            print(f"{run} epoch {epoch + 1}: {total:.4f} {losses[-1][1]:.4f}, {left / 60:.0f} min left", flush=True)
    return losses


def main(
    data: Path, /, *, run: list[str] | None = None, epochs: int = 500, out: Path = Path("notebook-losses")
) -> None:
    """Train some runs or all, write the losses of each, and print the figures that the study printed.

    Args:
        run: Networks and directions, such as `cae-mse.photo2sketch`; all by default.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in run or [f"{network}.{direction}" for direction in DIRECTIONS for network in NETWORKS]:
        written = out / f"{name}.json"
        if not written.exists():
            written.write_text(json.dumps(train(data, name, epochs)))
        losses = json.loads(written.read_text())
        validation = [each[1] for each in losses]
        best = min(range(len(losses)), key=validation.__getitem__)
        last = f"{validation[-1]:.4f} (train {losses[-1][0]:.4f})"
        print(f"{name}: {validation[0]:.4f} to {last}; best {validation[best]:.4f} at {best + 1}")


if __name__ == "__main__":
    cyclopts.run(main)
