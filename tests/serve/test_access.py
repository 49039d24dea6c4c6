"""Who gets in, and which headers every answer has."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.serve.conftest import Ask, grey, problem

from facesketch.errors import ConfigError
from facesketch.serve.routes.page import FOLDER, TYPES
from facesketch.serve.settings import Settings, check

_TOKEN = "open-sesame-1234"
_RIGHT = {"Authorization": f"Bearer {_TOKEN}"}
_ROUTES = [
    "/v1/health",
    "/v1/models",
    "/v1/metrics",
    "/v1/openapi.json",
    "/v1/gallery",
    "/v1/gallery/pictures/" + "0" * 32,
    "/v1/runs",
    "/v1/runs/one",
    "/v1/runs/one/samples/1",
    "/v1/nothing",
]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {_TOKEN}5"},
        {"Authorization": f"Bearer {_TOKEN[:-1]}"},
        {"Authorization": f"Basic {_TOKEN}"},
        {"Authorization": _TOKEN},
        {"Authorization": "Bearer ä".encode("latin-1")},
    ],
)
def test_without_the_token_the_api_tells_nothing(serve: Ask, headers: dict[str, str]) -> None:
    client = serve(token=_TOKEN)
    for path in _ROUTES:
        answer = client.get(path, headers=headers)
        assert problem(answer, 401) == "This server asks for a token."
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/v1/translate", "/v1/search"):
        problem(client.post(path, files={"file": grey(1)}, headers=headers), 401)
    assert client.get("/", headers=headers).status_code in {200, 404}, "the page asks for it"


def test_with_the_token_it_answers(serve: Ask) -> None:
    client = serve(token=_TOKEN)
    assert client.get("/v1/health", headers=_RIGHT).json()["status"] == "ok"
    assert client.get("/v1/health", headers={"Authorization": f"bearer  {_TOKEN}"}).status_code == 200
    assert client.post("/v1/translate", files={"file": grey(1)}, headers=_RIGHT).status_code == 200


def test_the_token_is_compared_in_constant_time(serve: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("hmac.compare_digest", compare)
    assert serve(token=_TOKEN).get("/v1/health", headers=_RIGHT).status_code == 200
    assert compared == [(_TOKEN.encode(), _TOKEN.encode())]


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST", "10.1.2.3"]
)
def test_names_of_this_machine(serve: Ask, host: str) -> None:
    assert serve().get("/v1/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[", "a b", "@"]
)
def test_a_name_that_another_site_points_here_is_refused(serve: Ask, host: str) -> None:
    for client in (serve(), serve(token=_TOKEN)):
        answer = client.get("/v1/health", headers={"Host": host, **_RIGHT})
        assert problem(answer, 400) == "This server does not accept requests for that host name."
        problem(client.get("/", headers={"Host": host}), 400)


def test_a_name_may_be_allowed(serve: Ask) -> None:
    client = serve(hosts=("Faces.example.org",))
    assert client.get("/v1/health", headers={"Host": "faces.example.org"}).status_code == 200
    problem(client.get("/v1/health", headers={"Host": "example.org"}), 400)
    anywhere = serve(host="0.0.0.0", token=_TOKEN)
    assert anywhere.get("/v1/health", headers={"Host": "any.example.org", **_RIGHT}).status_code == 200
    problem(serve(host="0.0.0.0", no_auth=True).get("/v1/health", headers={"Host": "any.example.org"}), 400)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9000", "http://[", "x"])
def test_a_page_of_another_site_cannot_send_pictures(serve: Ask, origin: str) -> None:
    client = serve(cors=("https://friend.example",))
    answer = client.post("/v1/translate", files={"file": grey(1)}, headers={"Origin": origin})
    assert problem(answer, 403) == "A page of another site sent this request."
    assert "access-control-allow-origin" not in answer.headers


def test_its_own_page_and_allowed_ones_can_send_pictures(serve: Ask) -> None:
    client = serve(cors=("https://friend.example",), hosts=("Faces.example.org",))
    for origin in (
        "http://localhost:8000",
        "https://friend.example",
        "https://faces.example.org",
        "https://faces.example.org:8443",
    ):
        answer = client.post("/v1/translate", files={"file": grey(1)}, headers={"Origin": origin})
        assert answer.status_code == 200, answer.text


def test_no_other_origin_may_read_unless_it_was_named(serve: Ask) -> None:
    friend = {"Origin": "https://friend.example"}
    ask = {**friend, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    closed = serve()
    assert "access-control-allow-origin" not in closed.get("/v1/models", headers=friend).headers
    assert "access-control-allow-origin" not in closed.request("OPTIONS", "/v1/translate", headers=ask).headers
    client = serve(cors=("https://friend.example",), token=_TOKEN)
    allowed = client.request("OPTIONS", "/v1/translate", headers=ask)
    assert allowed.status_code == 200, "a browser asks without the token"
    assert allowed.headers["access-control-allow-origin"] == "https://friend.example"
    assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
    refused = client.get("/v1/models", headers=friend)
    problem(refused, 401)
    assert refused.headers["access-control-allow-origin"] == "https://friend.example", "its page reads why"
    answer = client.post("/v1/translate", files={"file": grey(1)}, headers={**friend, **_RIGHT})
    shown = answer.headers["access-control-expose-headers"].lower()
    own = [name for name in answer.headers if name.lower().startswith("x-facesketch-")]
    assert len(own) >= 4
    assert [name for name in own if name.lower() not in shown] == []
    other = client.get("/v1/models", headers={"Origin": "https://evil.example", **_RIGHT})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("path", ["/", "/v1/health", "/v1/nothing", "/page/nothing.js", "/nowhere"])
def test_every_answer_has_the_headers_that_protect_it(serve: Ask, path: str) -> None:
    headers = serve().get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["img-src"] == "'self' blob: data:"
    assert "unsafe" not in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["permissions-policy"].startswith("camera=(self)")
    assert "server" not in headers
    if path.startswith("/v1/"):
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/page/../app.py",
        "/page/..%2fapp.py",
        "/page/%2e%2e/app.py",
        "/page/..%5capp.py",
        "/page//etc/passwd",
        "/page/%2fetc%2fpasswd",
        "/page/index.html%00.js",
        "/etc/passwd",
        "/v1/runs/..",
        "/v1/runs/..%2f..%2fetc",
        "/v1/runs/%2e%2e~%2e%2e~etc",
        "/v1/runs/one/samples/..%2f..%2fconfig.toml",
        "/v1/gallery/pictures/..%2f..%2fetc%2fpasswd",
    ],
)
def test_no_path_leads_to_a_file(serve: Ask, path: str, tmp_path: object) -> None:
    answer = serve(runs=tmp_path).get(path)
    problem(answer, answer.status_code)
    assert answer.status_code in {400, 404, 422}
    assert "root:" not in answer.text


def test_other_methods_are_refused(serve: Ask) -> None:
    client = serve()
    for method, path in (("GET", "/v1/translate"), ("DELETE", "/v1/models"), ("PUT", "/"), ("TRACE", "/v1/health")):
        problem(client.request(method, path), 405)


def test_the_page_is_the_files_that_come_with_the_package(serve: Ask) -> None:
    client = serve()
    for name in (path.name for path in FOLDER.iterdir()):
        answer = client.get("/" if name == "index.html" else f"/page/{name}")
        assert answer.content == (FOLDER / name).read_bytes()
        assert answer.headers["content-type"] == TYPES[Path(name).suffix]
        again = client.get(f"/page/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert client.request("HEAD", "/").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.9", "example.org"])
def test_other_machines_get_in_only_with_a_token_or_no_auth(host: str) -> None:
    with pytest.raises(ConfigError, match=r"lets other machines in without a token; give a `token` .* or `no_auth`"):
        check(Settings(host=host))
    check(Settings(host=host, token=_TOKEN))
    check(Settings(host=host, no_auth=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_no_token(host: str) -> None:
    check(Settings(host=host))


@pytest.mark.parametrize("token", ["short", "seven77", "with a space", "with\nline", "schlüssel-lang-genug"])
def test_a_token_that_cannot_be_sent(token: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(Settings(token=token))
    assert token not in str(caught.value), "it may end in a log"
    assert token not in repr(Settings(token=token))


@pytest.mark.parametrize("origin", ["*", "example.org", "https://", "https://*.example.org", "https://example.org/"])
def test_an_origin_that_is_not_one(origin: str) -> None:
    with pytest.raises(ConfigError, match="expected an origin"):
        check(Settings(cors=(origin,)))


def test_searches_are_logged_in_a_folder_only() -> None:
    check(Settings(gallery="faces", query_log=True))
    for gallery in (None, "s3://bucket/faces"):
        with pytest.raises(ConfigError, match="leave out `query_log`"):
            check(Settings(gallery=gallery, query_log=True))


@pytest.mark.parametrize("name", ["https://faces.example.org", "*.example.org", ""])
def test_a_host_is_a_name(name: str) -> None:
    with pytest.raises(ConfigError, match="expected a name"):
        check(Settings(hosts=(name,)))
