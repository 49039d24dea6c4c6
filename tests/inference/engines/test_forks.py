"""A program may find faces and translate, fork, and do so in both processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from facesketch.checkpoints.checkpoint import save_weights
from facesketch.config import configure
from facesketch.methods.registry import build, resolve

SCRIPT = """
import os, sys
import numpy as np
import facesketch
from facesketch.data.synthetic.draw import draw_pair
from facesketch.faces import FaceFinder

face, finder = draw_pair(np.random.default_rng(0), 256)[0], FaceFinder()
eyes = finder.find(face)[0].eyes
model = facesketch.load(sys.argv[1], device="cpu")
picture = np.random.default_rng(0).integers(0, 255, (128, 128, 3), dtype=np.uint8)
before = model(picture)
child = os.fork()
if not child:
    same = np.abs(model(picture).astype(int) - before).max() <= 1
    os._exit(0 if same and finder.find(face)[0].eyes == eyes else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_a_forked_process_finds_faces_and_translates(tmp_path: Path) -> None:
    config = resolve(configure("conv-ae", {"size": 128}))
    save_weights(tmp_path / "model.safetensors", build(config), config)
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path / "model.safetensors")]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.stdout == "0\n", done.stderr
