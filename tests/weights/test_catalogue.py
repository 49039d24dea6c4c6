"""Third-party weights: where they are looked for, and a download that is whole, checked, or not there."""

from __future__ import annotations

import hashlib
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save, save_file

from facesketch.errors import CheckpointError, ConfigError, MissingExtraError, OutputError, ResourceError
from facesketch.weights.catalogue import WEIGHTS, Digest, Weight, cache_folder, locate, verify
from facesketch.weights.download import fetch, read

BODY = bytes(range(256)) * 12_000  # about 3 MB: several chunks


@dataclass
class Publisher:
    """A server on the loopback: what it serves, how it misbehaves, and what it was asked for."""

    body: bytes = BODY
    ranges: bool = True
    cut_at: int | None = None
    status: int | None = None
    redirect: str | None = None
    asked: list[str | None] = field(default_factory=list)
    address: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.asked.append(wanted)
        if self.redirect or self.status:
            handler.send_response(302 if self.redirect else self.status or 0)
            handler.send_header("Location", self.redirect or "")
            handler.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if start >= len(self.body):
            handler.send_error(416)
            return
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(self.body) - start))
        handler.end_headers()
        handler.wfile.write(self.body[start : self.cut_at])


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    state = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}/net.onnx"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def entry(publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weight:
    """Return weights that the loopback server publishes, to be kept in `tmp_path/models`."""
    sha256 = hashlib.sha256(BODY).hexdigest()
    made = Weight("toy", "toy.onnx", publisher.address, Digest(len(BODY), sha256), "MIT", "tests")
    monkeypatch.setitem(WEIGHTS, "toy", made)
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path / "models"))
    return made


def _files() -> list[str]:
    return sorted(path.name for path in cache_folder().iterdir())


def test_fetched_weights_are_whole_and_fetched_once(publisher: Publisher, entry: Weight) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch("toy", progress=lambda have, total: seen.append((have, total)))
    assert path.read_bytes() == BODY
    assert path == locate("toy") == fetch("toy")
    assert publisher.asked == [None]
    assert _files() == ["toy.onnx"]
    assert seen[-1] == (len(BODY), len(BODY))
    assert [have for have, _ in seen] == sorted({have for have, _ in seen})


def test_a_download_that_breaks_off_goes_on_where_it_stopped(publisher: Publisher, entry: Weight) -> None:
    publisher.cut_at = 2_000_000
    with pytest.raises(MissingExtraError, match=r"broke off.*facesketch models fetch toy"):
        fetch("toy")
    assert _files() == ["net.onnx.part"]
    with pytest.raises(MissingExtraError, match="facesketch models fetch toy"):
        locate("toy")
    publisher.cut_at = None
    assert fetch("toy").read_bytes() == BODY
    assert publisher.asked == [None, "bytes=2000000-"]
    assert _files() == ["toy.onnx"]


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks there")
def test_two_processes_do_not_write_into_one_part(publisher: Publisher, entry: Weight) -> None:
    import fcntl

    cache_folder().mkdir()
    with (cache_folder() / "net.onnx.part").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ResourceError, match="another process is fetching it"):
            fetch("toy")
    assert publisher.asked == []
    assert fetch("toy").read_bytes() == BODY


def test_a_server_without_ranges_is_read_from_the_start(publisher: Publisher, entry: Weight) -> None:
    publisher.ranges = False
    cache_folder().mkdir()
    (cache_folder() / "net.onnx.part").write_bytes(b"x" * 1000)
    assert fetch("toy").read_bytes() == BODY


@pytest.mark.parametrize("length", [len(BODY), len(BODY) + 5])
def test_a_part_that_needs_no_more_bytes_is_checked_all_the_same(
    publisher: Publisher, entry: Weight, length: int
) -> None:
    cache_folder().mkdir()
    (cache_folder() / "net.onnx.part").write_bytes((BODY + b"extra")[:length])
    assert fetch("toy").read_bytes() == BODY
    assert len(publisher.asked) == (length > len(BODY))


@pytest.mark.parametrize(
    "body", [BODY[:-1] + b"!", BODY + b"more", BODY[:500]], ids=["other bytes", "too long", "too short"]
)
def test_another_file_is_refused_and_removed(publisher: Publisher, entry: Weight, body: bytes) -> None:
    publisher.body = body
    with pytest.raises((CheckpointError, MissingExtraError), match=r"expected|broke off"):
        fetch("toy")
    assert "toy.onnx" not in _files()
    publisher.body = BODY
    assert fetch("toy").read_bytes() == BODY


def test_a_part_longer_than_what_is_now_published_is_not_kept_for_ever(publisher: Publisher, entry: Weight) -> None:
    cache_folder().mkdir()
    (cache_folder() / "net.onnx.part").write_bytes(BODY[:1000])
    publisher.body = b"gone"
    with pytest.raises(MissingExtraError, match="broke off at 4 of"):
        fetch("toy")
    assert publisher.asked == ["bytes=1000-", None]


def test_a_resumed_download_of_other_bytes_is_refused(publisher: Publisher, entry: Weight) -> None:
    cache_folder().mkdir()
    (cache_folder() / "net.onnx.part").write_bytes(b"x" * 1000)
    with pytest.raises(CheckpointError, match=r"sha256 [0-9a-f]{12}….*removed"):
        fetch("toy")
    assert _files() == []


def test_a_damaged_file_is_fetched_again(publisher: Publisher, entry: Weight) -> None:
    cache_folder().mkdir()
    (cache_folder() / "toy.onnx").write_bytes(BODY[:-1] + b"!")
    with pytest.raises(CheckpointError, match="sha256"):
        verify(locate("toy"), entry)
    (cache_folder() / "toy.onnx").write_bytes(BODY[:-1])
    with pytest.raises(MissingExtraError, match="expected 3,072,000"):
        locate("toy")
    verify(fetch("toy"), entry)


def test_what_the_server_says_is_passed_on(publisher: Publisher, entry: Weight) -> None:
    publisher.status = 404
    with pytest.raises(MissingExtraError, match="HTTP 404"):
        fetch("toy")
    assert _files() == []


@pytest.mark.parametrize("target", ["http://example.invalid/net.onnx", "file:///etc/passwd", "ftp://example.invalid/x"])
def test_only_https_is_followed(
    publisher: Publisher, entry: Weight, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.redirect = target
    with pytest.raises(MissingExtraError, match="https" if target.startswith("http:") else "https|HTTP 302"):
        fetch("toy")
    monkeypatch.setitem(WEIGHTS, "toy", replace(entry, address=target))
    with pytest.raises(MissingExtraError, match="expected an https address"):
        fetch("toy")


def test_no_server_is_one_line(entry: Weight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WEIGHTS, "toy", replace(entry, address="http://127.0.0.1:9/net.onnx"))
    with pytest.raises(MissingExtraError, match=r"no answer .*refused.*facesketch models fetch toy") as caught:
        fetch("toy")
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_named(publisher: Publisher, entry: Weight, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file, not a folder")
    with pytest.raises(OutputError, match="FACESKETCH_MODELS"):
        fetch("toy")


@pytest.fixture
def pth(
    publisher: Publisher, entry: Weight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, torch.Tensor]:
    """Publish a `.pth` of which only `features.*` is kept."""
    tensors = {"features.0.weight": torch.randn(4, 3).t(), "features.0.bias": torch.randn(3)}
    torch.save(tensors | {"classifier.weight": torch.randn(100, 100)}, tmp_path / "net.pth")
    publisher.body = (tmp_path / "net.pth").read_bytes()
    kept = save({key: value.contiguous() for key, value in tensors.items()})
    made = replace(
        entry,
        file="toy.safetensors",
        address=publisher.address.replace("onnx", "pth"),
        kept=Digest(len(kept), hashlib.sha256(kept).hexdigest()),
        pth=Digest(len(publisher.body), hashlib.sha256(publisher.body).hexdigest()),
        keep="features.",
    )
    monkeypatch.setitem(WEIGHTS, "toy", made)
    return tensors


def test_of_a_pth_only_the_tensors_in_use_are_kept(pth: dict[str, torch.Tensor]) -> None:
    found = load_file(fetch("toy"))
    assert found.keys() == pth.keys()
    assert all(torch.equal(found[key], pth[key]) for key in pth)
    assert _files() == ["toy.safetensors"]
    verify(locate("toy"), WEIGHTS["toy"])


def test_other_tensors_in_a_verified_pth_are_refused(
    pth: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WEIGHTS, "toy", replace(WEIGHTS["toy"], keep="classifier"))
    with pytest.raises(CheckpointError, match="not those expected"):
        fetch("toy")
    assert "toy.safetensors" not in _files()


class _Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("trapped"),))


@pytest.mark.parametrize(
    "content", [_Trap(), {"a": _Trap()}, [1, 2], {"a": 1}], ids=["code", "code inside", "list", "int"]
)
def test_read_takes_nothing_but_tensors(content: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"x\.pth"):
        read(tmp_path / "x.pth")
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("name", ["x.pth", "x.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"\x80", b"not weights at all" * 100])
def test_read_refuses_what_is_no_weights(name: str, content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=re.escape(name)):
        read(tmp_path / name)


def test_read_gives_the_same_tensors_from_both_formats(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 2)}
    torch.save(tensors, tmp_path / "x.pth")
    save_file(tensors, tmp_path / "x.safetensors")
    assert torch.equal(read(tmp_path / "x.pth")["a"], tensors["a"])
    assert torch.equal(read(tmp_path / "x.safetensors")["a"], tensors["a"])


def test_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACESKETCH_MODELS", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "facesketch" / "models"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "facesketch" / "models"
    monkeypatch.setenv("FACESKETCH_MODELS", "~/here")
    assert cache_folder() == tmp_path / "here"


def test_missing_and_unknown_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path))
    with pytest.raises(MissingExtraError, match=r"facesketch models fetch vgg16"):
        locate("vgg16")
    for ask in (locate, fetch):
        with pytest.raises(ConfigError, match="did you mean 'sface'"):
            ask("sfase")


def test_every_entry_is_pinned() -> None:
    for name, entry in WEIGHTS.items():
        assert entry.name == name
        assert entry.address.startswith("https://")
        assert all(re.fullmatch("[0-9a-f]{64}", digest.sha256) for digest in (entry.kept, entry.published))
        assert (entry.pth is not None) == entry.file.endswith(".safetensors") == bool(entry.keep)
    for name in ("alexnet", "vgg16"):  # torchvision puts the first eight digits into the name
        stated = WEIGHTS[name].address.rpartition("-")[2].removesuffix(".pth")
        assert WEIGHTS[name].published.sha256.startswith(stated)


@pytest.mark.parametrize("name", ["lpips-alex", "lpips-vgg"])
def test_the_lpips_heads_are_at_hand_without_a_download(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path))
    verify(locate(name), WEIGHTS[name])
    kept = fetch(name)
    assert kept == tmp_path / WEIGHTS[name].file == locate(name)
    verify(kept, WEIGHTS[name])
    assert [key for key in read(kept) if not key.startswith("lin")] == []


@pytest.mark.shared
@pytest.mark.parametrize("name", list(WEIGHTS))
def test_the_research_folder_is_a_cache_folder(name: str, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(shared / "models"))
    entry, path = WEIGHTS[name], locate(name)
    assert path.parent == shared / "models"
    verify(path, entry)
    assert fetch(name) == path
    if entry.pth is not None:  # the bytes that a fetch would write
        assert hashlib.sha256(save(load_file(path))).hexdigest() == entry.kept.sha256
