"""`facesketch serve`, as you type it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.serve.conftest import started

from facesketch.serve.server import address, listen
from facesketch.serve.settings import Settings

Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--host", "0.0.0.0"],
            "--host 0.0.0.0: lets other machines in without a token; give a --token",
        ),
        (["--port", "70000"], 'Invalid value "70000" for --port. Must be <= 65535'),
        (["--query-log"], "--query-log needs a gallery; give a --gallery"),
        (["--token", "short"], "--token: expected 8 or more ASCII letters"),
        (["--cors", "*"], "--cors *: expected an origin, such as https://faces.example.org"),
        (["--port", "0", "--model", "nowhere.onnx"], "nowhere.onnx: no such model file"),
        (["--queue", "0"], "queue = '0': "),
        (["--max-pixels", "0"], "max_pixels = '0': "),
        (["--max-upload", "-1"], "max_upload = '-1': "),
        (["--max-upload", "nan"], "max_upload = 'nan': "),
        (["--max-upload", "inf"], "max_upload = 'inf': "),
        (["--max-upload", "1e-9"], "max_upload = '1e-9': "),
        (["--timeout", "nan"], "timeout = 'nan': "),
        (["--timeout", "-0.5"], "timeout = '-0.5': "),
        (["--host", "203.0.113.7", "--no-auth"], "--host 203.0.113.7 --port 8000: cannot listen there"),
    ],
)
def test_a_mistake_gets_one_line(refused: Refused, words: list[str], said: str) -> None:
    assert refused("serve", *words).startswith(said)


def test_without_fastapi_it_says_what_to_install(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert refused("serve").endswith("type: pip install 'facesketch[serve]'")


def test_the_verb_itself_loads_nothing_heavy() -> None:
    heavy = "{'fastapi', 'uvicorn', 'starlette', 'onnxruntime', 'torch', 'cv2', 'lancedb', 'numpy'}"
    code = f"import sys, facesketch.cli.serve; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_server_needs_no_torch() -> None:
    code = (
        "import sys; from facesketch.serve.app import build; from facesketch.serve.settings import Settings; "
        "build(Settings()); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_token_and_a_name_reach_the_server(tmp_path: Path) -> None:
    with started(tmp_path, "--token", "open-sesame", "--allow-host", "faces.example.org") as process:
        health = f"{process.url}/v1/health"
        right = {"Authorization": "Bearer open-sesame"}
        assert httpx.get(health).status_code == 401
        assert httpx.get(health, headers=right | {"Host": "faces.example.org"}).status_code == 200
        assert httpx.get(health, headers=right | {"Host": "evil.example"}).status_code == 400


def test_answers_do_not_wait_for_the_client_to_confirm_their_heads() -> None:
    with listen(Settings(port=0)) as listening, socket.create_connection(listening.getsockname()) as client:
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert client


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]")])
def test_the_printed_address_leads_to_the_server(host: str, shown: str) -> None:
    if host == "::1":
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError:
                pytest.skip("this machine has no IPv6")
    settings = Settings(host=host, port=0)
    with listen(settings) as listening:
        port = listening.getsockname()[1]
        assert address(settings, listening) == f"http://{shown}:{port}/"
