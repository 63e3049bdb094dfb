"""Sending a built request: one try within its time, nothing followed, nothing told of where it went."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from adapters.http import MOST_BYTES, HttpSender
from core.errors import UnavailableError
from core.http import Request, Response

pytestmark = pytest.mark.sockets

TOKEN = "not-to-be-told"


class Far:
    """A web server of our own: what it got, and how it is to answer, by path."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, dict[str, str], bytes]] = []
        got = self.got
        release = self.release = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                got.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                if self.path.startswith("/hang"):
                    release.wait(10)
                    return
                if self.path.startswith("/drip"):
                    self.send_response(200)
                    self.end_headers()
                    for _ in range(100):
                        if release.wait(0.1):
                            return
                        self.wfile.write(b".")
                    return
                if self.path.startswith("/cut"):
                    self.close_connection = True
                    return
                self.send_response(302 if self.path.startswith("/moved") else 429 if self.path.startswith("/busy") else 200)
                self.send_header("Location", "/elsewhere")
                self.send_header("Retry-After", "30")
                self.send_header("Set-Cookie", "track=1")
                body = b"x" * 100_000 if self.path.startswith("/long") else b"ok"
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def far() -> Iterator[Far]:
    """The server, on a free port of this machine."""
    made = Far()
    yield made
    made.release.set()
    made.server.shutdown()
    made.server.server_close()


def send(*requests: Request) -> list[Response]:
    async def all_of_them() -> list[Response]:
        async with HttpSender() as sender:
            return [await sender.send(request) for request in requests]

    return asyncio.run(all_of_them())


def post(far: Far, path: str, **given: Any) -> Request:
    return Request(method="POST", url=f"http://127.0.0.1:{far.port}{path}/{TOKEN}", **given)


def test_it_sends_what_was_built(far: Far) -> None:
    """Method, path, headers and body arrive as they were built; the answer comes back with headers in lower case."""
    (answer,) = send(post(far, "/ok", headers={"Idempotency-Key": "a:b", "Content-Type": "application/json"}, body="mặn".encode()))
    assert (answer.status, answer.headers["retry-after"], answer.body) == (200, "30", b"ok")
    method, path, headers, body = far.got[0]
    assert (method, path, body) == ("POST", f"/ok/{TOKEN}", "mặn".encode())
    assert headers["idempotency-key"] == "a:b"
    assert headers["content-type"] == "application/json"
    assert headers["accept-encoding"] == "identity", "what is read of an answer is read as it came"


def test_no_redirect_is_followed_and_no_cookie_kept(far: Far) -> None:
    """A redirect is an answer like another; what it sets is not sent back."""
    first, second = send(post(far, "/moved"), post(far, "/ok"))
    assert (first.status, second.status) == (302, 200)
    assert [path for _, path, _, _ in far.got] == [f"/moved/{TOKEN}", f"/ok/{TOKEN}"]
    assert "cookie" not in far.got[1][2]


def test_a_long_answer_is_not_read_to_its_end(far: Far) -> None:
    """A receiver cannot fill our memory."""
    (answer,) = send(post(far, "/long"))
    assert len(answer.body) == MOST_BYTES


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_the_time_is_for_all_of_it(far: Far, path: str) -> None:
    """Neither silence nor an answer that drips takes longer than the request's own time."""
    begun = time.monotonic()
    with pytest.raises(UnavailableError, match=r"time|0\.5 s") as away:
        send(post(far, path, timeout_s=0.5))
    assert time.monotonic() - begun < 3
    assert TOKEN not in str(away.value)


def test_nobody_there(far: Far) -> None:
    """No connection, one that breaks, and an address that is none are all `away`, and none of them repeats the address."""
    requests = [Request(method="POST", url=f"http://127.0.0.1:1/{TOKEN}"), post(far, "/cut"), Request(method="POST", url=f"http://[{TOKEN}")]
    for request in requests:
        with pytest.raises(UnavailableError) as away:
            send(request)
        assert TOKEN not in str(away.value)
        assert away.value.__cause__ is None
        assert TOKEN not in repr(request)


def test_the_surroundings_say_nothing(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy named in the environment is not asked: the address is the operator's own choice."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert send(post(far, "/ok"))[0].status == 200
