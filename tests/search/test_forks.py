"""A program that has used a gallery may fork; the forked process says what to do instead of hanging."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facesketch.data.synthetic.draw import draw_pair

SCRIPT = """
import os, sys
from facesketch.errors import GalleryError
from facesketch.search.gallery import Gallery

photo, place = sys.argv[1:]
gallery = Gallery(place)
gallery.add(photo)
child = os.fork()
if not child:
    for use in (lambda: gallery.search(photo), lambda: gallery.info(), lambda: Gallery(place, create=False)):
        try:
            use()
        except GalleryError as error:
            print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(len(gallery.search(photo).hits))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_a_forked_process_is_told_to_spawn(tmp_path: Path) -> None:
    draw_pair(np.random.default_rng(0), 256)[0].save(tmp_path / "photo.png")
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path / "photo.png"), str(tmp_path / "gallery")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    said = done.stdout.splitlines()
    assert [("spawn" in line) for line in said] == [True, True, True, False], done.stderr
    assert said[3] == "1"
