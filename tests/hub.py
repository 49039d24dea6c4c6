"""A local server that speaks the few routes of the Hugging Face Hub that uploading and downloading take.

`python tests/hub.py` prints its address and serves until it is ended. Its token is `hf_right`, its model `anna/first`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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
            modes = {
                file["path"]: "lfs" if file["path"].endswith((".safetensors", ".onnx")) else "regular" for file in asked
            }
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


@contextmanager
def serving() -> Iterator[type[Hub]]:
    """Serve a hub without files, at the address `address`, until the block ends."""

    class Own(Hub):
        files: dict[str, bytes] = {}  # noqa: RUF012
        stored: dict[str, bytes] = {}  # noqa: RUF012
        asked: list[str] = []  # noqa: RUF012

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        Own.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Own
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    with serving() as hub:
        print(hub.address, flush=True)  # noqa: T201
        threading.Event().wait()
