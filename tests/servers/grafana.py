"""A small Grafana for tests of the push: the few routes it needs, strictly, with the answers of the real one.

From grafana.com/docs/grafana/v9.4/developers/http_api (data_source, folder, dashboard, dashboard_versions) and from Grafana's
own source where the pages are silent (api/apierrors, services/dashboards/errors, api/datasources, api/http_server):

- /api/health is answered without a token; every other route with 401 "Invalid API key" for a wrong one.
- A thing that is not there: 404, folders and boards with `status: not-found`. A folder or datasource whose name is taken: 409.
- A board is saved when its version is the standing one, or with `overwrite`; else 412 `version-mismatch`. The name of another
  board of that folder: 412 `name-exists`. From a file: 400. A read-only datasource: 403.
- Secrets are never given back; `secureJsonFields` names those that are set.
"""

from __future__ import annotations

import copy
import json
import re
import ssl
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from servers.ports import free_port

Reply = tuple[int, dict[str, str], bytes]
_UID = re.compile(r"[a-zA-Z0-9\-_]{1,40}")


def _json(status: int, body: object) -> Reply:
    return status, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(body).encode()


def _error(code: int, message: str, /, **more: object) -> Reply:
    return _json(code, {"message": message} | more)


# answers given in place of the own one, each once
FAULTS: dict[str, Reply] = {
    "page": (200, {"Content-Type": "text/html; charset=utf-8"}, b"<html><title>Router</title>message</html>"),
    "page 404": (404, {"Content-Type": "text/html"}, b"<html>404 message not found</html>"),
    "page 502": (502, {"Content-Type": "text/html"}, b"<html>502 Bad Gateway, message of nginx</html>"),
    "number": (200, {"Content-Type": "application/json"}, b"7"),
    "influx": (404, {"Content-Type": "application/json"}, b'{"code":"not found","message":"path not found"}'),
    "redirect": (302, {"Location": "https://grafana.example/login"}, b""),
    "500": _error(500, "Failed to save dashboard"),
    "503": _json(503, {"database": "failing"}),
    "429": _error(429, "Too many requests"),
    "403": _error(403, "You'll need additional permissions to perform this action. Permissions needed: datasources:create", accessErrorId="ACE1"),
    "400": _error(400, "bad request data"),
    "mismatch": _error(412, "The dashboard has been changed by someone else", status="version-mismatch"),
}


class FakeGrafana:
    """`start()`, `stop()`; what it holds is open to look at and to change, as an officer would in its pages."""

    def __init__(self, *, version: str = "9.4.17", token: str = "glsa_secret-token", tls: ssl.SSLContext | None = None, prefix: str = "") -> None:
        self.version = version
        self.token = token
        self.prefix = prefix
        self.folders: dict[str, dict[str, Any]] = {}
        self.datasources: dict[str, dict[str, Any]] = {}
        self.boards: dict[str, dict[str, Any]] = {}  # uid: {"folder", "provisioned", "versions": [{"version", "message", "data"}]}
        self.faults: dict[str, deque[str]] = {}  # by "METHOD /api/path"
        self.requests: list[str] = []
        self.bodies: list[Any] = []
        self.rewrites: Callable[[dict[str, Any]], dict[str, Any]] = lambda board: board  # how it stores a board
        self.port = free_port()
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}{prefix}"
        self._tls = tls
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> FakeGrafana:
        """Listen."""
        owner = self

        class Handler(_Handler):
            grafana = owner

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that does not trust us hangs up
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(10)
        self._server = self._thread = None

    @property
    def writes(self) -> list[str]:
        """The requests that change something."""
        return [r for r in self.requests if not r.startswith("GET ")]

    def board(self, uid: str) -> dict[str, Any]:
        """The board as it stands."""
        found: dict[str, Any] = self.boards[uid]["versions"][-1]["data"]
        return found

    def edit(self, uid: str, **changes: Any) -> None:
        """What somebody saves in the pages: without a message, or with his own."""
        said = changes.pop("message", "")
        self._add_version(uid, copy.deepcopy(self.board(uid)) | changes, said)

    def fail(self, request: str, *faults: str) -> None:
        """The next answers to "METHOD /api/path"."""
        self.faults.setdefault(request, deque()).extend(faults)

    def _add_version(self, uid: str, data: dict[str, Any], message: str) -> int:
        versions = self.boards[uid]["versions"]
        version = len(versions) + 1
        stored = self.rewrites(copy.deepcopy(data)) | {"id": list(self.boards).index(uid) + 1, "uid": uid, "version": version}
        versions.append({"version": version, "message": message, "data": stored})
        return version

    # ------------------------------------------------------------ routes

    def answer(self, method: str, path: str, body: Any, authorization: str) -> Reply:
        """One request."""
        if path == "/api/health":
            told = {"version": self.version} if self.version else {}
            return _json(200, {"commit": "1a2b3c4d", "database": "ok"} | told)
        if authorization != f"Bearer {self.token}":
            return _error(401, "Invalid API key")
        if (method, path) == ("GET", "/api/org"):
            return _json(200, {"id": 1, "name": "Main Org."})
        if (method, path) == ("GET", "/api/search"):
            return _json(200, [{"uid": uid, "title": self.board(uid)["title"], "folderUid": b["folder"], "type": "dash-db"} for uid, b in self.boards.items()])
        for pattern, route in (
            (r"/api/folders(?:/([^/]+))?", self._folders),
            (r"/api/datasources(?:/uid/([^/]+))?", self._datasources),
            (r"/api/datasources/name/([^/]+)", self._named),
            (r"/api/dashboards/uid/([^/]+)", self._read),
            (r"/api/dashboards/uid/([^/]+)/versions", self._versions),
        ):
            found = re.fullmatch(pattern, path)
            if found is not None:
                return route(method, found[1], body)
        if (method, path) == ("POST", "/api/dashboards/db"):
            return self._save(body)
        return _error(404, "Not found")

    def _folders(self, method: str, uid: str | None, body: Any) -> Reply:
        if method == "GET":
            found = self.folders.get(uid or "")
            return _json(200, found) if found else _error(404, "folder not found", status="not-found")
        if method != "POST" or uid is not None:
            return _error(404, "Not found")
        if not body.get("title") or not _UID.fullmatch(body["uid"]):
            return _error(400, "folder title cannot be empty")
        if body["uid"] in self.folders or any(f["title"] == body["title"] for f in self.folders.values()):
            return _error(409, "a folder with the same name already exists in the current location")
        self.folders[body["uid"]] = {"id": len(self.folders) + 1, "uid": body["uid"], "title": body["title"], "version": 1}
        return _json(200, self.folders[body["uid"]])

    def _datasources(self, method: str, uid: str | None, body: Any) -> Reply:
        standing = self.datasources.get(uid or "")
        if method == "GET":
            return _json(200, _shown(standing)) if standing else _error(404, "Data source not found")
        if method == "PUT" and uid is not None:
            if standing is None:
                return _error(404, "Data source not found")
            if standing["readOnly"]:
                return _error(403, "Cannot update read-only data source")
            kept = standing["secureJsonData"]  # a secret that is not sent stays
            made = standing | body | {"secureJsonData": kept | body.get("secureJsonData", {}), "version": standing["version"] + 1}
        elif method == "POST" and uid is None:
            if not body.get("name") or not body.get("type") or body.get("access") not in ("proxy", "direct"):
                return _error(400, "bad request data")
            if any(body["name"] == d["name"] or body["uid"] == d["uid"] for d in self.datasources.values()):
                return _error(409, "data source with the same name already exists")
            made = {"id": len(self.datasources) + 1, "orgId": 1, "readOnly": False, "version": 1, "secureJsonData": {}} | body
        else:
            return _error(404, "Not found")
        if not re.match(r"https?://[^/]+", made["url"]):
            return _error(400, "Validation error, invalid URL")
        self.datasources[made["uid"]] = made
        word = "added" if method == "POST" else "updated"
        return _json(200, {"message": f"Datasource {word}", "id": made["id"], "name": made["name"], "datasource": _shown(made)})

    def _named(self, method: str, name: str, body: Any) -> Reply:
        found = next((d for d in self.datasources.values() if d["name"] == name), None)
        return _json(200, _shown(found)) if found else _error(404, "Data source not found")

    def _read(self, method: str, uid: str, body: Any) -> Reply:
        if uid not in self.boards:
            return _error(404, "Dashboard not found", status="not-found")
        kept = self.boards[uid]
        meta = {"type": "db", "canSave": True, "slug": uid, "url": f"/d/{uid}", "version": len(kept["versions"]), "folderUid": kept["folder"]}
        return _json(200, {"meta": meta | {"provisioned": kept["provisioned"], "provisionedExternalId": ""}, "dashboard": self.board(uid)})

    def _versions(self, method: str, uid: str, body: Any) -> Reply:
        if uid not in self.boards:
            return _error(404, "Dashboard not found")
        items = [{"id": v["version"], "uid": uid, "version": v["version"], "message": v["message"]} for v in reversed(self.boards[uid]["versions"])]
        listed: object = items[:1] if self.version.startswith(("9.", "10.")) else {"continueToken": "", "versions": items[:1]}
        return _json(200, listed)

    def _save(self, body: Any) -> Reply:
        data, folder, overwrite = body["dashboard"], body.get("folderUid") or "", body.get("overwrite", False)
        uid = data.get("uid") or ""
        if not data.get("title"):
            return _error(400, "Dashboard title cannot be empty", status="empty-name")
        if not _UID.fullmatch(uid):
            return _error(400, "uid contains illegal characters")
        if len(body.get("message", "")) > 500:
            return _error(400, "message too long, max 500 characters")
        if folder and folder not in self.folders:
            return _error(400, "folder not found")
        if any(b["folder"] == folder and u != uid and self.board(u)["title"] == data["title"] for u, b in self.boards.items()):
            return _error(412, "A dashboard with the same name in the folder already exists", status="name-exists")
        kept = self.boards.get(uid)
        if kept is not None:
            if kept["provisioned"]:
                return _error(400, "Cannot save provisioned dashboard")
            if not overwrite and data.get("version") != len(kept["versions"]):
                return _error(412, "The dashboard has been changed by someone else", status="version-mismatch")
        self.boards.setdefault(uid, {"folder": folder, "provisioned": False, "versions": []})["folder"] = folder
        version = self._add_version(uid, data, body.get("message", ""))
        return _json(200, {"id": self.board(uid)["id"], "uid": uid, "url": f"/d/{uid}", "status": "success", "version": version, "slug": uid})


def _shown(datasource: dict[str, Any]) -> dict[str, Any]:
    fields = {name: True for name, value in datasource["secureJsonData"].items() if value}
    return {name: value for name, value in datasource.items() if name != "secureJsonData"} | {"secureJsonFields": fields}


class _Handler(BaseHTTPRequestHandler):
    grafana: FakeGrafana
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment

    def do_GET(self) -> None:
        self._respond("GET")

    def do_POST(self) -> None:
        self._respond("POST")

    def do_PUT(self) -> None:
        self._respond("PUT")

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def _respond(self, method: str) -> None:
        given = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        if not path.startswith(self.grafana.prefix + "/"):
            status, headers, body = FAULTS["page 404"]
        else:
            path = path.removeprefix(self.grafana.prefix)
            request = f"{method} {path}"
            self.grafana.requests.append(request)
            content = json.loads(given) if given else None
            if content is not None:
                self.grafana.bodies.append(content)
            queue = self.grafana.faults.get(request)
            if queue:
                status, headers, body = FAULTS[queue.popleft()]
            else:
                status, headers, body = self.grafana.answer(method, path, content, self.headers.get("Authorization") or "")
        try:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # whoever asked did not wait for the answer
            self.close_connection = True
