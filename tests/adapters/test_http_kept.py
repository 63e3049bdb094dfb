"""A kept connection: one for many requests, another where the server has closed it, and no answer taken for one."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from adapters.http_kept import KeptConnection
from core.errors import UnavailableError

pytestmark = pytest.mark.sockets

DONE = b"HTTP/1.1 204 No Content\r\nX-Server: s\r\n\r\n"
NO = b'HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"error":1}'
CUT = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\nhalf"

HUGE = b"HTTP/1.1 500 Oh\r\nContent-Length: 99999999999999999999\r\n\r\nx"
NEGATIVE = b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nx"
LONG = b"HTTP/1.1 500 Oh\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000

Serve = Callable[[Sequence[Sequence[bytes]]], str]


@pytest.fixture
def got() -> list[tuple[int, bytes]]:
    """What the server got: number of the connection, and the request."""
    return []


@pytest.fixture
def serve(got: list[tuple[int, bytes]]) -> Iterator[Serve]:
    """A server that answers the requests of its first connection with the first answers, and closes it after them."""
    listening = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def answer(scripts: Sequence[Sequence[bytes]]) -> None:
        for number, answers in enumerate(scripts):
            with listening.accept()[0] as line, contextlib.suppress(OSError):  # the other side may close it first
                for text in answers:
                    request = b""
                    while not request.endswith(b"END"):
                        request += line.recv(65536)
                    got.append((number, request))
                    line.sendall(text)
                line.shutdown(socket.SHUT_WR)
                while line.recv(65536):
                    pass

    def start(scripts: Sequence[Sequence[bytes]]) -> str:
        threads.append(threading.Thread(target=answer, args=(scripts,), daemon=True))
        threads[0].start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}/under"

    yield start
    listening.close()
    for thread in threads:
        thread.join(5)


def kept(url: str, **more: object) -> KeptConnection:
    return KeptConnection(url, **{"where": "the store", "timeout": 0.3, "connect_timeout": 1.0, "tls": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)} | more)  # type: ignore[arg-type] # a test's defaults


def test_one_connection_serves_many_requests(serve: Serve, got: list[tuple[int, bytes]]) -> None:
    """Path, length, log-in and body go out; status, words and type of each answer come back, over one connection."""
    http = kept(serve([[DONE, NO, DONE]]), login=("me", "se:cret"))
    first, second, third = (http.post("/write?db=a+b", f"{n}END".encode()) for n in range(3))
    http.close()
    assert (first.status, first.text, third.status) == (204, "", 204)
    assert (second.status, second.text, second.content_type) == (400, '{"error":1}', "application/json")
    assert [number for number, _ in got] == [0, 0, 0]
    head, _, body = got[1][1].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /under/write?db=a+b HTTP/1.1\r\n")
    assert body == b"1END"
    assert b"\r\nAuthorization: Basic bWU6c2U6Y3JldA==" in head
    assert b"\r\nContent-Length: 4" in head


@pytest.mark.parametrize("head", [b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", b"HTTP/1.0 204 No Content\r\n\r\n"], ids=["close", "1.0"])
def test_a_server_that_will_close_is_asked_over_another_connection(serve: Serve, got: list[tuple[int, bytes]], head: bytes) -> None:
    """Whoever says that this answer is the last one is believed."""
    http = kept(serve([[head], [DONE]]))
    assert [http.post("/write", b"1END").status, http.post("/write", b"2END").status] == [204, 204]
    http.close()
    assert [number for number, _ in got] == [0, 1]


def test_a_connection_the_server_has_closed_is_made_anew(serve: Serve, got: list[tuple[int, bytes]]) -> None:
    """What stood idle and was closed costs no request: it goes over another connection, once."""
    http = kept(serve([[DONE], [DONE]]))
    assert http.post("/write", b"1END").status == 204
    idle = http._http.sock
    assert idle is not None
    idle.settimeout(5)
    assert idle.recv(1, socket.MSG_PEEK) == b""  # its end has come
    assert http.post("/write", b"2END").status == 204
    http.close()
    assert [(number, request[-4:]) for number, request in got] == [(0, b"1END"), (1, b"2END")]


@pytest.mark.parametrize("answer", [b"", CUT, b"SSH-2.0-OpenSSH\r\n\r\n", NEGATIVE, None], ids=["none", "cut", "no http", "negative", "silence"])
def test_what_is_no_whole_answer_is_none(serve: Serve, answer: bytes | None) -> None:
    """A broken answer, another protocol and silence are UnavailableError, sent once; the next request finds a connection of its own."""
    http = kept(serve([[b"HTTP/1.1 "] if answer is None else [answer], [DONE]]))
    if answer is None:
        http._timeout = 0.05
    with pytest.raises(UnavailableError, match="the store: "):
        http.post("/write", b"1END")
    http._timeout = 5
    assert http.post("/write", b"2END").status == 204
    http.close()


@pytest.mark.parametrize("first", [b"HTTP/1.1 102 Processing\r\n\r\n", HUGE, LONG], ids=["another will come", "huge", "long"])
def test_after_an_answer_that_was_not_whole_comes_another_connection(serve: Serve, got: list[tuple[int, bytes]], first: bytes) -> None:
    """What a server still says to one request is never the answer to the next; of a text only its beginning is read."""
    http = kept(serve([[first], [DONE]]), timeout=5.0)
    with contextlib.suppress(UnavailableError):
        assert len(http.post("/write", b"1END").text) <= 1 << 20
    assert http.post("/write", b"2END").status == 204
    http.close()
    assert [number for number, _ in got] == [0, 1]


def test_an_answer_that_trickles_ends_with_the_time() -> None:
    """The time is for the whole answer, not for each of its bytes."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def trickle() -> None:
            with listening.accept()[0] as line, contextlib.suppress(OSError):
                line.recv(1000)
                line.sendall(b"HTTP/1.1 500 Oh\r\nContent-Length: 100000\r\n\r\n")
                while not done.wait(0.02):
                    line.sendall(b"x")

        server = threading.Thread(target=trickle, daemon=True)
        server.start()
        with pytest.raises(UnavailableError, match="timed out"):
            kept(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=0.2).post("/write", b"1END")
        done.set()
        server.join(5)


@pytest.mark.parametrize("answer", [NO, DONE, b""], ids=["refused", "done", "none"])
def test_a_body_that_was_refused_unread(answer: bytes) -> None:
    """A refusal that comes before the body is read is the answer; a success without it is none."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def early() -> None:
            line, _ = listening.accept()
            with line:
                line.recv(1000)
                line.sendall(answer)
                # closed with the rest unread

        server = threading.Thread(target=early, daemon=True)
        server.start()
        http = kept(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=5.0)
        body = bytes(30_000_000)  # more than the sockets hold
        if answer == NO:
            assert (http.post("/write", body).status, http._http.sock) == (400, None)
        else:
            with pytest.raises(UnavailableError, match="the store: "):
                http.post("/write", body)
        http.close()
        server.join(5)


def test_nobody_there() -> None:
    """No server is UnavailableError too."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UnavailableError, match="the store"):
        kept(f"http://127.0.0.1:{port}").post("/write", b"x")
