"""InfluxDB 2.x's face before a real influxd 1.6: its write API, strictly, so that the unmodified client is tried.

A malformed line refuses the whole batch (400), a type conflict is 422 with the rest kept; `/query` and 1.x's `/write` are
passed on. `faults` names what the next writes answer instead, `query_faults` the next queries.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import struct
import threading
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from servers.influxd import InfluxD
from servers.ports import free_port

_PRECISION = {"ns": "n", "us": "u", "ms": "ms", "s": "s"}  # 2.x's name → 1.x's
_KEY = r"(?:\\.|[^\\,= \n])+"
_VALUE = r'(?:-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|-?\d+i|\d+u|[tT]|[fF]|true|True|TRUE|false|False|FALSE|"(?:\\.|[^"\\])*")'
_LINE = re.compile(rf"(?:\\.|[^\\, \n])+(?:,{_KEY}={_KEY})* {_KEY}={_VALUE}(?:,{_KEY}={_VALUE})*(?: -?\d+)?")
_ORG_ID, _BUCKET_ID = "0123456789abcdef", "fedcba9876543210"

Reply = tuple[int, dict[str, str], bytes]


def _error(status: int, code: str, message: str, **headers: str) -> Reply:
    return status, {"Content-Type": "application/json; charset=utf-8", **headers}, json.dumps({"code": code, "message": message}).encode()


# Answers that are no success, by the name put into `faults`. Done by hand: "reset" (the connection breaks after the body),
# "lost" (as "reset", but the write was done) and "slow".
FAULTS: dict[str, Reply] = {
    "html": (200, {"Content-Type": "text/html"}, b"<html><form action=login>Please log in</form></html>"),
    "html400": (400, {"Content-Type": "text/html"}, b"<html><h1>400 Bad Request</h1>nginx</html>"),
    "redirect": (302, {"Location": "/elsewhere"}, b""),
    "redirect307": (307, {"Location": "/elsewhere"}, b""),
    "json": (200, {"Content-Type": "application/json"}, b'{"status":"ok"}'),
    "202": (202, {}, b""),
    "victoria": (200, {"Content-Type": "application/json"}, b'{"results":[{"series":[{"name":"databases","columns":["name"],"values":[["_internal"]]}]}]}'),
    "cut": (200, {"Content-Type": "application/json"}, b'{"results":[{"statement_id":0,"series":[{"name":"wat'),
    "nothing": (200, {"Content-Type": "application/json"}, b""),
    "closed": (200, {"Content-Type": "application/json"}, b'{"results":[{"statement_id":0,"error":"engine is closed"}]}'),
    "401": _error(401, "unauthorized", "unauthorized access"),
    "403": _error(403, "forbidden", "insufficient permissions for write"),
    "404": _error(404, "not found", "bucket not found"),
    "413": _error(413, "request too large", "request body is too large"),
    "429": _error(429, "too many requests", "org has exceeded its limit", **{"Retry-After": "30"}),
    "500": _error(500, "internal error", "timeout"),
    "503": _error(503, "unavailable", "engine is starting", **{"Retry-After": "30"}),
}


class Influx2:
    """The face; `start()`, `stop()`. Answers "slow" come when `release` is set, or after 40 s."""

    def __init__(
        self,
        upstream: InfluxD,
        *,
        token: str = "secret-token",
        org: str = "province",
        bucket: str = "canhman",
    ) -> None:
        self.upstream = upstream
        self.token = token
        self.org = org
        self.bucket = bucket
        self.may_create = True
        self.max_body = 25_000_000
        self.faults: deque[str] = deque()
        self.query_faults: deque[str] = deque()
        self.requests: list[str] = []  # "POST /api/v2/write", in order
        self.release = threading.Event()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Influx2:
        """Listen."""
        self.http = httpx.Client(base_url=self.upstream.url, trust_env=False, timeout=60, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        face = self

        class Handler(_Handler):
            owner = face

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening; `start` again listens on the same port."""
        self.release.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(10)
        self._server = self._thread = None
        self.http.close()

    def write(self, query: dict[str, str], headers: dict[str, str], body: bytes) -> Reply:
        """POST /api/v2/write as 2.x documents it."""
        if headers.get("authorization") != f"Token {self.token}":
            return FAULTS["401"]
        if query.get("org") != self.org:
            return _error(404, "not found", f'organization name "{query.get("org", "")}" not found')
        if query.get("bucket") != self.bucket or not self.has_bucket():
            return _error(404, "not found", f'bucket "{query.get("bucket", "")}" not found')
        precision = _PRECISION.get(query.get("precision", "ns"))
        if precision is None:
            return _error(400, "invalid", "invalid precision; valid precision units are ns, us, ms, and s")
        if len(body) > self.max_body:
            return FAULTS["413"]
        lines = body.decode().split("\n")
        if not any(lines):
            return _error(400, "invalid", "writing requires points")
        for line in lines:
            if line and not line.startswith("#") and not _LINE.fullmatch(line):
                return _error(400, "invalid", f"unable to parse '{line}': invalid field format")
        answer = httpx.post(
            f"{self.upstream.url}/write",
            params={"db": self.bucket, "precision": precision},
            content=body,
            trust_env=False,
            timeout=60,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )
        if answer.status_code == 400 and "field type conflict" in answer.text:
            return _error(422, "unprocessable entity", f"failure writing points to database: {answer.json()['error']}")
        if answer.status_code == 400:
            return _error(400, "invalid", str(answer.json()["error"]))
        return answer.status_code, {}, b""

    def has_bucket(self) -> bool:
        """Whether the database behind the bucket is there."""
        found = self.upstream.query("SHOW DATABASES")
        return [self.bucket] in found[0].get("values", [])

    def buckets(self, method: str, body: bytes) -> Reply:
        """GET and POST /api/v2/buckets."""
        mine = {"id": _BUCKET_ID, "name": self.bucket, "orgID": _ORG_ID, "retentionRules": []}
        if method == "GET":
            return _json(200, {"buckets": [mine]}) if self.has_bucket() else _error(404, "not found", f'bucket "{self.bucket}" not found')
        wanted = json.loads(body)
        if not self.may_create:
            return _error(403, "forbidden", "insufficient permissions")
        if wanted.get("orgID") != _ORG_ID or wanted.get("retentionRules"):
            return _error(400, "invalid", "unexpected org or retention")
        self.upstream.query(f'CREATE DATABASE "{wanted["name"]}"')
        return _json(201, mine | {"name": wanted["name"]})


class _Handler(BaseHTTPRequestHandler):
    owner: Influx2
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment: apart, the second waits 40 ms for the acknowledgement of the first

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def _answer(self, method: str) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.owner.requests.append(f"{method} {url.path}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        queue = {"/api/v2/write": self.owner.faults, "/write": self.owner.faults, "/query": self.owner.query_faults}.get(url.path)
        fault = queue.popleft() if queue else ""
        query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        if fault == "lost":
            self._route(method, url.path, query, headers, body)
        if fault in ("reset", "lost"):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() sends RST
            self.connection.close()
            self.close_connection = True
            return
        if fault == "slow":
            self.owner.release.wait(40)
        reply = FAULTS.get(fault) or self._route(method, url.path, query, headers, body)
        self._send(reply)

    def _route(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Reply:
        face = self.owner
        routes: dict[tuple[str, str], Callable[[], Reply]] = {
            ("POST", "/api/v2/write"): lambda: face.write(query, headers, body),
            ("POST", "/write"): lambda: self._pass_on(headers, body),
            ("GET", "/health"): lambda: _json(200, {"name": "influxdb", "status": "pass", "version": "v2.7.0"}),
            ("GET", "/ping"): lambda: (204, {"X-Influxdb-Version": "v2.7.0"}, b""),
            ("GET", "/elsewhere"): lambda: (204, {}, b""),  # where the redirects lead: it must never be asked
            ("POST", "/elsewhere"): lambda: (204, {}, b""),
        }
        if (method, path) in routes:
            return routes[method, path]()
        by_password = "Basic " + b64encode(f"user:{face.token}".encode()).decode()  # 2.x takes the token as 1.x's password
        if headers.get("authorization") not in (f"Token {face.token}", by_password):
            return FAULTS["401"]
        if path == "/query":
            return self._pass_on(headers, body)
        if path == "/api/v2/orgs" and method == "GET":
            return _json(200, {"orgs": [{"id": _ORG_ID, "name": face.org}]}) if query.get("org") == face.org else _error(404, "not found", "org not found")
        if path == "/api/v2/buckets":
            return face.buckets(method, body)
        return _error(404, "not found", "path not found")

    def _pass_on(self, headers: dict[str, str], body: bytes) -> Reply:
        kept = {name: headers[name] for name in ("content-type",) if name in headers}
        answer = self.owner.http.post(self.path, content=body, headers=kept)
        return answer.status_code, {"Content-Type": answer.headers.get("content-type", "")}, answer.content

    def _send(self, reply: Reply) -> None:
        status, headers, body = reply
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status != 204:
                self.wfile.write(body)
        except OSError:  # whoever asked did not wait for the answer
            self.close_connection = True


def _json(status: int, body: object) -> Reply:
    return status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(body).encode()
