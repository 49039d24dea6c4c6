"""`facesketch push`, and models by names such as `hub:OWNER/NAME`, with a server that speaks the hub's routes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import facesketch
from facesketch.checkpoints.header import read_header
from facesketch.evaluation.publish import card

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """The routes that uploading and downloading take: create, preupload, LFS, commit, resolve."""

    files: dict[str, bytes]
    stored: dict[str, bytes]
    asked: list[str]
    address: str

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, content: bytes, code: int = 200, **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _json(self, value: Any, code: int = 200) -> None:
        self._answer(json.dumps(value).encode(), code, Content_Type="application/json")

    def do_POST(self) -> None:
        self.asked.append(f"POST {self.path}")
        body = self._body()
        host = f"http://{self.headers['Host']}"
        if self.headers.get("Authorization") != "Bearer hf_right":
            self._json({"error": "Invalid username or password."}, 401)
        elif self.path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif self.path == "/api/repos/create":
            self._json({"url": f"{host}/anna/first"})
        elif "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            modes = {file["path"]: "lfs" if file["path"].endswith(".safetensors") else "regular" for file in asked}
            self._json({"files": [{"path": p, "uploadMode": m, "shouldIgnore": False} for p, m in modes.items()]})
        elif self.path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            actions = [{**each, "actions": {"upload": {"href": f"{host}/store/{each['oid']}"}}} for each in objects]
            self._json({"transfer": "basic", "objects": actions})
        elif "/commit/" in self.path:
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
                elif entry["key"] == "lfsFile":
                    self.files[entry["value"]["path"]] = self.stored[entry["value"]["oid"]]
            self._json({"commitUrl": f"{host}/anna/first/commit/{COMMIT}", "commitOid": COMMIT})
        else:
            self._json({"error": self.path}, 404)

    def do_PUT(self) -> None:
        content = self._body()
        self.stored[self.path.rpartition("/")[2]] = content
        self._answer(b"", ETag=hashlib.sha256(content).hexdigest())

    def do_GET(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        found = re.fullmatch(r"/anna/first/resolve/(?:main|[0-9a-f]{40})/(\S+)", self.path)
        if found and found[1] in self.files:
            content = self.files[found[1]]
            self._answer(content, ETag=f'"{hashlib.sha256(content).hexdigest()}"', X_Repo_Commit=COMMIT)
        elif self.path.startswith("/api/models/anna/first"):
            names = [{"rfilename": name} for name in self.files]
            self._json({"id": "anna/first", "modelId": "anna/first", "sha": COMMIT, "siblings": names})
        elif self.path.startswith("/anna/first/"):
            self._answer(b"", 404, X_Error_Code="EntryNotFound", X_Error_Message="Entry not found")
        else:
            self._answer(b"", 404, X_Error_Code="RepoNotFound", X_Error_Message="Repository not found")

    do_HEAD = do_GET  # noqa: N815


@pytest.fixture
def hub() -> Iterator[type[Hub]]:
    """Return a hub without files, at the address `hub.address`."""

    class Own(Hub):
        files: dict[str, bytes] = {}  # noqa: RUF012
        stored: dict[str, bytes] = {}  # noqa: RUF012
        asked: list[str] = []  # noqa: RUF012
        address = ""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    Own.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Own
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    out = tmp_path_factory.mktemp("push") / "first"
    small = {"size": 32, "hidden": 4, "latent": 4, "device": "cpu", "quiet": True}
    return facesketch.train("dense-ae", out, data=faces, steps=1, log=["csv"], **small)


@pytest.fixture
def typed(hub: type[Hub], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs a command whose hub is the local one."""

    def run(*words: object, token: str = "hf_right", address: str = "") -> subprocess.CompletedProcess[str]:
        own = {
            "HF_ENDPOINT": address or hub.address,
            "HF_TOKEN": token,
            "HF_HUB_DISABLE_XET": "1",
            "NO_PROXY": "127.0.0.1",
        }
        places = {
            "HF_HOME": str(tmp_path / "hf"),
            "FACESKETCH_MODELS": str(tmp_path / "models"),
            "NO_PROXY": "127.0.0.1",
        }
        command = [sys.executable, "-m", "facesketch", *map(str, words)]
        return subprocess.run(
            command, env={**os.environ, **own, **places}, capture_output=True, text=True, check=False, timeout=300
        )

    return run


def test_a_model_is_pushed_fetched_and_used(
    typed: Callable[..., Any], hub: type[Hub], run: Path, faces: Path, tmp_path: Path
) -> None:
    results = tmp_path / "first.json"
    measured = facesketch.evaluate(run, faces, metrics=["ssim"], out=results)
    done = typed("push", run, "hub:anna/first", "--results", results)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("/anna/first")
    assert set(hub.files) == {"model.safetensors", "README.md"}
    assert str(faces).encode() not in hub.files["model.safetensors"] + hub.files["README.md"]
    page = hub.files["README.md"].decode()
    assert f"{measured.metrics['ssim'].value:.4f}" in page
    assert page.startswith("---\nlibrary_name: facesketch\n")

    photo = next((faces / "photos").iterdir())
    done = typed("models", "fetch", "hub:anna/first")
    assert done.returncode == 0, done.stderr
    file = Path(done.stdout.strip().removeprefix("hub:anna/first: "))
    assert file.is_relative_to(tmp_path / "models")
    assert read_header(file).config.data.folder is None
    done = typed("translate", photo, "--model", "hub:anna/first", "--out", tmp_path / "sketch.png")
    assert done.returncode == 0, done.stderr
    facesketch.load(run)(photo).save(tmp_path / "own.png")
    assert (tmp_path / "sketch.png").read_bytes() == (tmp_path / "own.png").read_bytes()

    done = typed("models", "fetch", "hub:anna/first", address="http://127.0.0.1:9")
    assert (done.returncode, Path(done.stdout.strip().removeprefix("hub:anna/first: "))) == (0, file), done.stderr


def test_what_the_hub_refuses_is_one_line(typed: Callable[..., Any], hub: type[Hub], run: Path) -> None:
    for words, said, options in (
        (("push", run, "hub:anna/first"), "hub:anna/first: ", {"token": "hf_wrong"}),
        (("models", "fetch", "hub:anna/second"), "hub:anna/second: no such model", {}),
        (("models", "fetch", "hub:anna/first"), "hub:anna/first: holds no model.safetensors or model.onnx", {}),
        (
            ("models", "fetch", "hub:anna/first"),
            "hub:anna/first: the hub does not answer",
            {"address": "http://127.0.0.1:9"},
        ),
    ):
        done = typed(*words, **options)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
        assert done.stderr.startswith(f"facesketch: {said}"), done.stderr
    assert hub.files == {}


@pytest.mark.parametrize("name", ["hub:first", "first", "hub:a/b/c", "hub:anna/first@main"])
def test_a_name_that_is_none_is_refused_before_anything_is_sent(
    name: str, run: Path, refused: Callable[..., str]
) -> None:
    assert name in refused("push", run, name)


def test_models_that_hold_pictures_are_refused(faces: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    run = facesketch.train(
        "lle", tmp_path / "run", data=faces, size=32, overlap=10, neighbours=3, device="cpu", quiet=True
    )
    assert "holds its training pictures" in refused("push", run, "hub:anna/first")


def test_results_of_another_method_are_refused(
    run: Path, faces: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    facesketch.evaluate("pencil", faces, metrics=["ssim"], out=tmp_path / "pencil.json")
    line = refused("push", run, "hub:anna/first", "--results", tmp_path / "pencil.json")
    assert "results of pencil" in line


def test_a_card_without_numbers_has_no_table(run: Path) -> None:
    page = card("hub:anna/first", read_header(run / "weights.safetensors"), None)
    assert "## Numbers" not in page
    assert "# first" in page.splitlines()
