"""What strangers send: bad pictures, false headers, bombs, damaged forms."""

from __future__ import annotations

import bz2
import importlib.util
import io
import os
import re
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.serve.conftest import Ask, children, grey, pixels, png, problem

from facesketch.serve.admission import Admission

_BOUNDARY = "edge"
_TYPE = f"multipart/form-data; boundary={_BOUNDARY}"


def _bad_files() -> list[Any]:
    """Return the bad files of the image tests, so that what is added there is sent here too."""
    place = Path(__file__).parents[1] / "images" / "test_io.py"
    spec = importlib.util.spec_from_file_location("image_tests", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (mark,) = module.test_a_bad_file_is_one_line.pytestmark
    names, rows = mark.args
    assert names == ("name", "content", "said")
    return [pytest.param(name, content, id=name) for name, content, _ in rows]


@pytest.mark.parametrize(("name", "content"), _bad_files())
def test_every_bad_file_is_refused_in_a_sentence(serve: Ask, name: str, content: bytes) -> None:
    client = serve()
    answer = client.post("/v1/translate", files={"file": (name, content, "image/png")})
    said = problem(answer, answer.status_code)
    assert answer.status_code in {400, 415}
    assert name not in said
    assert client.send(grey(1)).status_code == 200, "the next one is served"


@pytest.mark.parametrize(
    ("name", "media"),
    [("me.exe", "application/x-msdownload"), ("page.html", "text/html"), ("../../etc/passwd", "image/jpeg"), ("", "")],
)
def test_the_content_decides_not_its_name_or_type(serve: Ask, name: str, media: str) -> None:
    for content, status in ((grey(9), 200), (b"<html><script>alert(1)</script></html>" * 9, 415)):
        answer = serve().post("/v1/translate", files={"file": (name or "x", content, media or None)})
        assert answer.status_code == status, answer.text


def test_an_archive_is_not_a_picture(serve: Ask) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(8 << 20))
    assert len(packed.getvalue()) < 20_000
    problem(serve().send(packed.getvalue()), 415)
    problem(serve().send(bz2.compress(grey(9))), 415)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _claims(width: int, height: int, rows: bytes, *before: bytes) -> bytes:
    """Return a PNG that claims a size, whatever it holds."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(before) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(1001, 1000), (9_000, 9_000), (12_500, 9_000), (60_000, 60_000)])
def test_a_bomb_is_refused_by_its_header(serve: Ask, size: tuple[int, int]) -> None:
    client = serve(limits={"pixels": 1_000_000})
    said = problem(client.send(_claims(*size, b"no pixels, which would be told if they were decoded")), 413)
    assert "more than 1,000,000 pixels" in said


def test_no_limit_lets_in_a_picture_that_nothing_opens(serve: Ask) -> None:
    client = serve(limits={"pixels": 300_000_000})
    said = problem(client.send(_claims(12_500, 9_000, b"")), 413)
    assert "more than 100,000,000 pixels" in said
    assert client.request("GET", "/v1/health").json()["limits"]["pixels"] == 100_000_000


def _tile(side: int) -> bytes:
    """Return a TIFF of 64x64 pixels, whose one tile unpacks to a square of zeros."""
    packer, left = zlib.compressobj(1), side * side
    data = b"".join(packer.compress(bytes(min(1 << 20, left - place))) for place in range(0, left, 1 << 20))
    data += packer.flush()
    data += bytes(len(data) % 2)
    values = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 8, 325: len(data)}
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items())
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(values)) + tags + bytes(4)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps the limit, and tells of it")
def test_a_picture_that_takes_more_memory_than_its_size_allows(serve: Ask) -> None:
    client, before = serve(), set(children(os.getpid()))
    assert client.send(grey(1)).status_code == 200
    (decoder,) = set(children(os.getpid())) - before
    problem(client.send(_tile(32_000)), 413)
    peak = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{decoder}/status").read_text())
    assert peak
    assert int(peak[1]) < 300_000, "it would be a million"
    assert client.send(grey(1)).status_code == 200, "the next one is served"


def test_a_picture_that_takes_too_long(serve: Ask) -> None:
    client = serve(limits={"decoding": 0.05})
    large = png(Image.new("L", (5000, 5000)))
    assert problem(client.send(large), 422) == "The picture takes too much time to decode."
    assert client.get("/v1/health").json()["queue"] == 0, "its place is free again"


def _orders() -> dict[str, bytes]:
    """Return pictures of 90x120 and more pixels, in every format, and hidden where formats allow it."""
    image, small, exif = Image.new("RGB", (120, 90), "red"), Image.new("RGB", (8, 8)), Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif.get_ifd(0x8769)[0xA002] = 8  # what it says is the width
    kinds: dict[str, dict[str, Any]] = {
        "JPEG": {"exif": exif},
        "MPO": {"save_all": True, "append_images": [small.copy()]},
        "PNG": {"save_all": True, "append_images": [small.resize((120, 90))]},
        "WEBP": {"save_all": True, "append_images": [image], "lossless": True},
        "TIFF": {"save_all": True, "append_images": [small.copy()]},
        "BMP": {},
        "PPM": {},
        "GIF": {"save_all": True, "append_images": [image.rotate(90)]},
        "AVIF": {"exif": exif},
    }
    made = {}
    for kind, options in kinds.items():
        buffer = io.BytesIO()
        image.copy().save(buffer, kind, **options)
        made[kind] = buffer.getvalue()
    made["a GIF with a small screen"] = made["GIF"][:6] + struct.pack("<HH", 8, 8) + made["GIF"][10:]
    return made


@pytest.mark.parametrize("kind", _orders())
def test_the_limit_on_pixels_holds_for_every_format(serve: Ask, kind: str) -> None:
    content = _orders()[kind]
    assert serve(limits={"pixels": 120 * 90}).send(content).status_code == 200
    assert "more than 10,799 pixels" in problem(serve(limits={"pixels": 120 * 90 - 1}).send(content), 413)


def test_a_text_chunk_that_unpacks_without_end(serve: Ask) -> None:
    bomb = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 << 20)))
    answer = serve().send(_claims(16, 16, zlib.compress(bytes(17 * 16)), bomb))
    assert pixels(answer.content).shape == (16, 16), "no pixel needs it"


def test_pixels_beyond_those_claimed_are_not_unpacked(serve: Ask) -> None:
    content = _claims(16, 16, zlib.compress(bytes(17 * 16 + (32 << 20))))
    answer = serve().send(content)
    assert answer.status_code in {200, 400}
    if answer.status_code == 200:
        assert pixels(answer.content).shape == (16, 16)


def test_too_many_bytes_are_refused_whether_announced_or_not(serve: Ask) -> None:
    client = serve(limits={"upload": 30_000})
    noise = png(Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300), dtype=np.uint8)))
    assert len(noise) > 50_000
    assert problem(client.send(noise), 413).startswith("The upload is larger than")

    async def trickled() -> Any:
        body = _form(("file", noise))
        for place in range(0, len(body), 1000):
            yield body[place : place + 1000]

    answer = client.post("/v1/translate", content=trickled(), headers={"Content-Type": _TYPE})
    assert "content-length" not in answer.request.headers
    problem(answer, 413)
    assert client.get("/v1/health").json()["queue"] == 0


def _form(*parts: tuple[str, bytes], end: bool = True) -> bytes:
    body = b""
    for name, content in parts:
        file = '; filename="me.png"' if name == "file" else ""
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + (f"--{_BOUNDARY}--\r\n".encode() if end else b"")


_FILE = ("file", grey(9))
_BOUNDS = "A field has no name or more than 256 bytes, or there are more than 16 fields."


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (_form(), 422, "No picture was sent as the field 'file'."),
        (_form(("face", b"1")), 422, "No picture was sent as the field 'file'."),
        (_form(_FILE).replace(b'; filename="me.png"', b""), 422, "No picture was sent as the field 'file'."),
        (_form(_FILE, *[_FILE] * 16), 422, _BOUNDS),
        (_form(_FILE).replace(b'; name="file"', b""), 422, _BOUNDS),
        (
            _form(_FILE).replace(
                b"--edge--", b'--edge\r\nContent-Disposition: form-data; name="face"; filename="a"\r\n\r\n1\r\n--edge--'
            ),
            422,
            "A field other than 'file' holds a file.",
        ),
        (_form(_FILE, _FILE), 422, "More than one picture was sent as the field 'file'."),
        (_form(("file", b"")), 400, "The file is empty."),
        (_form(_FILE, ("face", b"1"), ("face", b"2")), 422, "A field was sent twice."),
        (_form(_FILE, ("model", b"m" * 300)), 422, _BOUNDS),
        (_form(_FILE, ("model", b"\xff\xfe")), 400, "There is no model with this id."),
        (_form(_FILE, *((f"f{number}", b"") for number in range(40))), 422, _BOUNDS),
        (_form(_FILE, end=False), 400, "The multipart body is damaged."),
        (_form(_FILE)[:-20], 400, "The multipart body is damaged."),
        (b"", 400, "The multipart body is damaged."),
        (b"no form at all", 400, "The multipart body is damaged."),
        (_form(_FILE).replace(b"\r\n\r\n", b"\r\n" + b"X" * 5000, 1), 400, "The multipart body is damaged."),
    ],
)
def test_damaged_and_odd_forms(serve: Ask, body: bytes, status: int, said: str) -> None:
    answer = serve().post("/v1/translate", content=body, headers={"Content-Type": _TYPE})
    assert problem(answer, status) == said


@pytest.mark.parametrize(
    "media",
    [
        "",
        "image/png",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; a=b",
    ],
)
def test_a_body_that_is_not_a_form(serve: Ask, media: str) -> None:
    problem(serve().post("/v1/translate", content=grey(9), headers={"Content-Type": media}), 415)


def test_a_boundary_that_is_too_long(serve: Ask) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=" + "x" * 3000}
    problem(serve().post("/v1/translate", content=b"x", headers=headers), 400)


def test_all_uploads_together_have_a_limit(serve: Ask) -> None:
    client = serve(limits={"held": 1000})
    assert client.send(grey(9)).status_code == 200
    answer = client.send(grey(9) + bytes(2000))
    assert problem(answer, 429)
    assert int(answer.headers["retry-after"]) >= 1
    assert client.send(grey(9)).status_code == 200, "what was refused is not counted any more"


def test_admission_forgets_requests_that_have_left() -> None:
    admission = Admission(requests=1, size=10)
    with admission.admit() as ticket:
        ticket.reserve(7)
        assert (admission.active, admission.held) == (1, 7)
    assert (admission.active, admission.held) == (0, 0)
