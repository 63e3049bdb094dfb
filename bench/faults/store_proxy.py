"""InfluxDB behind a proxy that answers writes in its place: errors, none at all, or after a part was written."""

from __future__ import annotations

import contextlib
import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from servers.ports import free_port

SILENT_S = 30.0


class StoreProxy:
    """Every write gets the fault that `mode` names, everything else goes through. A context manager.

    Modes: "" (through), "500", "503", "429" (with Retry-After), "silent" (no answer), "half" (half of the lines are written, then the
    line breaks), "unanswered" (all are written, then the line breaks), "partial" (half of the lines are written, 500).
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.mode = ""
        self.faults = 0
        self.over = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

            def do_GET(self) -> None:
                self._pass(b"")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                mode = proxy.mode if self.path.startswith("/write") else ""
                if not mode:
                    self._pass(body)
                    return
                proxy.faults += 1
                if mode in ("half", "partial", "unanswered"):
                    lines = body.splitlines(keepends=True)
                    proxy.forward(self, body if mode == "unanswered" else b"".join(lines[: max(1, len(lines) // 2)]))
                if mode == "silent":
                    proxy.over.wait(SILENT_S)
                if mode in ("half", "unanswered", "silent"):
                    self.close_connection = True
                    with contextlib.suppress(OSError):
                        self.connection.shutdown(2)
                    return
                status = 500 if mode == "partial" else int(mode)
                self.send_response(status)
                if status == 429:
                    self.send_header("Retry-After", "1")
                answer = b'{"error":"made by the fault suite"}\n'
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def _pass(self, body: bytes) -> None:
                status, headers, answer = proxy.forward(self, body)
                self.send_response(status)
                for name, value in headers:
                    if name.lower() in ("content-type", "x-influxdb-version", "x-influxdb-error"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self._target = target
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def forward(self, asked: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """The server's own answer; 502 where it gives none."""
        far = http.client.HTTPConnection("127.0.0.1", self._target, timeout=60)
        try:
            headers = {name: value for name, value in asked.headers.items() if name.lower() in ("content-type", "accept", "authorization")}
            far.request(asked.command, asked.path, body or None, headers)
            answer = far.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except OSError:
            return 502, [], b""
        finally:
            far.close()

    def __enter__(self) -> StoreProxy:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
