"""Boards, their folder and the datasource, brought to a running Grafana by its HTTP API.

The only file that knows the library grafana-api (docs/decisions/0020). Nothing is written where the same stands there
already; what somebody changed by hand is left as it is unless `overwrite` says otherwise. No text ever holds a secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from core.errors import CanhManError, ConfigError, ConflictError, RefusedError, UnavailableError
from dashboards.provisioning import FOLDER, UID

OLDEST = (9, 4)
NEWEST_KNOWN = 13
TIMEOUT_S = 30.0
_MESSAGE = "canhman dashboards push"  # of the versions we save; the digest of the board follows
_MANAGED = ("dbName", "httpMode", "httpHeaderName1", "canhman")  # of jsonData; what else stands there is somebody's choice
_SEEN = ("name", "type", "access", "url", "database", "user", "basicAuth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was done with one thing. `kind` is folder, datasource or board; `done` created, updated or unchanged."""

    kind: str
    name: str
    done: str


class Grafana:
    """One Grafana, asked with the token of a service account. Use as a context manager."""

    def __init__(self, url: str, token: str, *, timeout: float = TIMEOUT_S) -> None:
        """`url` is http(s)://host[:port][/path]. Raises ConfigError where the library is missing or the token cannot be one."""
        try:
            from grafana_api.grafana_face import GrafanaFace
        except ImportError:
            raise ConfigError("grafana-api is not installed; bring it with: deploy/install.sh extra:grafana") from None
        if not token or not re.fullmatch(r"[!-~]+", token):  # a line break in a header would be quoted in an error
            raise ConfigError("CANHMAN_GRAFANA_TOKEN is not set, or no token: make one of a service account with the role Admin")
        parts = urlsplit(url)
        host = parts.hostname or ""
        prefix = parts.path.strip("/")
        trusted = ssl.get_default_verify_paths()  # the system's authorities, or those of SSL_CERT_FILE, rather than a list in a package
        self.where = f"Grafana at {url.rstrip('/')}"
        self._face = GrafanaFace(
            token,
            host=f"[{host}]" if ":" in host else host,
            port=parts.port,
            url_path_prefix=f"{prefix}/" if prefix else "",
            protocol=parts.scheme,
            verify=trusted.cafile or trusted.capath or True,
            timeout=timeout,
        )
        session = self._face.api.s
        session.trust_env = False  # no proxy and no .netrc between us and it
        session.hooks["response"].append(self._look)

    def __enter__(self) -> Grafana:
        return self

    def __exit__(self, *_: object) -> None:
        self._face.api.s.close()

    def version(self) -> tuple[str, str]:
        """(its version, a note or an empty text). Raises UnavailableError, or RefusedError for what is no Grafana or too old."""
        health = self._ask("read its health", self._face.api.GET, "/health", maybe=True)
        if health is None or "database" not in health:
            raise self._foreign("/api/health has no word about a database")
        text = str(health.get("version") or "")
        found = re.match(r"v?(\d+)\.(\d+)", text)
        if found is None:
            return text, f"{self.where} does not tell its version; the boards are made for {_dotted(OLDEST)} to {NEWEST_KNOWN}"
        version = int(found[1]), int(found[2])
        if version < OLDEST:
            raise RefusedError(f"{self.where} is version {text}: the boards need {_dotted(OLDEST)} or later; update Grafana")
        newer = version[0] > NEWEST_KNOWN
        return text, f"{self.where} is version {text}, newer than {NEWEST_KNOWN}, the last the boards were made for" if newer else ""

    def push(self, boards: Sequence[Mapping[str, Any]], source: Mapping[str, Any], token: str, *, overwrite: bool = False) -> Iterator[Step]:
        """Folder, datasource, boards, each told when it is done. `token` is the key of the mark by which a changed secret is seen.

        Raises ConflictError for what was changed by hand or comes from a file, RefusedError, UnavailableError.
        """
        yield self._folder()
        yield self._datasource(source, token)
        for board in boards:
            yield self._board(board, overwrite=overwrite)

    # ------------------------------------------------------------ the three kinds

    def _folder(self) -> Step:
        if self._ask("read the folder", self._face.folder.get_folder, UID, maybe=True) is not None:  # whatever it is called now
            return Step(kind="folder", name=FOLDER, done="unchanged")
        taken = f"a folder {FOLDER!r} with another uid stands there already; rename it"
        self._ask("make the folder", self._face.folder.create_folder, FOLDER, UID, conflict=taken)
        return Step(kind="folder", name=FOLDER, done="created")

    def _datasource(self, source: Mapping[str, Any], key: str) -> Step:
        path = f"/datasources/uid/{UID}"
        taken = f"a datasource {UID!r} with another uid stands there already; rename it or remove it"
        wanted = dict(source) | {"jsonData": dict(source["jsonData"]) | _mark(source, key)}
        there = self._ask("read the datasource", self._face.api.GET, path, maybe=True)
        if there is None:
            self._ask("make the datasource", self._face.datasource.create_datasource, wanted, conflict=taken)
            return Step(kind="datasource", name=UID, done="created")
        if there.get("readOnly"):
            if _differences(there, wanted, mark=False):
                raise self._from_file(f"the datasource {UID!r}", _differences(there, wanted, mark=False))
        elif _differences(there, wanted, mark=True):
            kept = {name: value for name, value in (there.get("jsonData") or {}).items() if name not in _MANAGED}
            changed = wanted | {"jsonData": kept | wanted["jsonData"], "isDefault": bool(there.get("isDefault"))}
            self._ask("change the datasource", lambda: self._face.api.PUT(path, json=changed), conflict=taken)
            return Step(kind="datasource", name=UID, done="updated")
        return Step(kind="datasource", name=UID, done="unchanged")

    def _board(self, board: Mapping[str, Any], *, overwrite: bool) -> Step:
        uid, title = str(board["uid"]), str(board["title"])
        there = self._ask(f"read the board {title!r}", self._face.dashboard.get_dashboard, uid, maybe=True)
        if there is None:
            self._save(board, UID, overwrite=False)
            return Step(kind="board", name=title, done="created")
        meta, standing = there.get("meta") or {}, there["dashboard"]
        if _content(standing) == _content(board):
            return Step(kind="board", name=title, done="unchanged")
        if meta.get("provisioned"):
            raise self._from_file(f"the board {title!r}", ["its content"])
        said = self._last_words(uid)
        if said == _signed(board):  # newer Grafanas store a board in another form than they were given
            return Step(kind="board", name=title, done="unchanged")
        if not said.startswith(_MESSAGE) and not overwrite:
            raise self._changed_by_hand(title)
        # where it stands it stays: an officer may have moved it to a folder of the office
        self._save(dict(board) | {"version": standing.get("version")}, str(meta.get("folderUid") or ""), overwrite=overwrite)
        return Step(kind="board", name=title, done="updated")

    def _save(self, board: Mapping[str, Any], folder: str, *, overwrite: bool) -> None:
        title = str(board["title"])
        body = {"dashboard": dict(board) | {"id": None}, "folderUid": folder, "message": _signed(board), "overwrite": overwrite}
        taken = f"another board {title!r} with another uid stands in that folder; rename it or remove it"
        answer = self._ask(f"save the board {title!r}", self._face.dashboard.update_dashboard, body, conflict=taken, mismatch=self._changed_by_hand(title))
        if answer is None or answer.get("status") != "success":
            raise RefusedError(f"{self.where}: the board {title!r} was not saved: {_words(answer)}")

    def _last_words(self, uid: str) -> str:
        """The message of the newest version; empty where none can be read."""
        found = self._ask("read the board's versions", self._face.api.GET, f"/dashboards/uid/{uid}/versions?limit=1", maybe=True)
        versions = found.get("versions") if isinstance(found, dict) else found  # a list until Grafana 11
        newest = max(versions or [], key=lambda v: v.get("version") or 0, default=None)
        return str((newest or {}).get("message") or "")

    # ------------------------------------------------------------ asking, and what the answers mean

    def _ask(self, what: str, call: Callable[..., Any], *arguments: Any, maybe: bool = False, conflict: str = "", mismatch: CanhManError | None = None) -> Any:
        """The answer; None for 404 where the thing is one that `maybe` is not there. Raises UnavailableError, RefusedError, ConflictError."""
        import requests
        from grafana_api.grafana_api import GrafanaException

        try:
            return call(*arguments)
        except GrafanaException as error:
            if error.status_code == 404 and maybe:
                return None
            if error.status_code == 412 and mismatch is not None and _status(error.response) == "version-mismatch":
                raise mismatch from None
            if error.status_code in (409, 412) and conflict:
                raise ConflictError(f"{self.where}: {conflict} ({_words(error.response)})") from None
            raise self._refusal(what, error.status_code, _words(error.response)) from None
        except requests.exceptions.SSLError as error:
            why = f"{self.where}: its certificate is not trusted ({_innermost(error)}); name its authority in SSL_CERT_FILE, or mend the address"
            raise RefusedError(why) from None
        except requests.exceptions.Timeout:
            raise UnavailableError(f"{self.where}: no answer in time") from None
        except requests.exceptions.RequestException as error:
            raise UnavailableError(f"{self.where}: {_innermost(error)}") from None

    def _refusal(self, what: str, status: int, said: str) -> CanhManError:
        role = "CANHMAN_GRAFANA_TOKEN must be a token of a service account with the role Admin"
        if status == 401:
            return RefusedError(f"{self.where}: the token is not taken (401 {said}); {role}")
        if status == 403:
            return RefusedError(f"{self.where}: the token may not {what} (403 {said}); {role}")
        if status >= 500 or status == 429:
            return UnavailableError(f"{self.where}: answered {status} {said} when asked to {what}")
        return RefusedError(f"{self.where}: would not {what}: {status} {said}")

    def _changed_by_hand(self, title: str) -> ConflictError:
        way = "save those changes under another name there, then run again with --overwrite, which puts ours in their place (Grafana keeps the old version)"
        return ConflictError(f"{self.where}: somebody changed the board {title!r} by hand; {way}")

    def _from_file(self, what: str, differing: Sequence[str]) -> ConflictError:
        way = "run `canhman dashboards build` and put its files there, or remove that file"
        return ConflictError(f"{self.where}: {what} comes from a file of its provisioning and differs in {', '.join(differing)}; {way}")

    def _foreign(self, why: str) -> RefusedError:
        return RefusedError(f"{self.where} is no Grafana: {why}; check CANHMAN_GRAFANA")

    def _look(self, response: Any, *_: Any, **__: Any) -> None:
        """At every answer before the library reads it: it would follow a redirect, and stumble over a page."""
        status, _ = response.status_code, response.content  # read, so that the connection is free whatever comes of it
        if response.is_redirect:
            raise RefusedError(f"{self.where} sends us to {response.headers['location'][:200]!r}; set CANHMAN_GRAFANA to where Grafana answers itself")
        try:
            body = response.json()
        except ValueError:
            body = None
        if isinstance(body, dict | list):
            return
        if status >= 500:
            raise UnavailableError(f"{self.where}: answered {status}")
        raise self._foreign(f"it answered {status} without JSON")


def _content(board: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a board: all but what Grafana counts."""
    return {name: value for name, value in board.items() if name not in ("id", "version")}


def _signed(board: Mapping[str, Any]) -> str:
    text = json.dumps(_content(board), sort_keys=True, ensure_ascii=False)
    return f"{_MESSAGE} {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _mark(source: Mapping[str, Any], key: str) -> dict[str, str]:
    """Grafana never shows a secret again: by this mark we see that it is still the same. It tells nothing without the token."""
    secrets = source["secureJsonData"]
    if not secrets:
        return {}
    return {"canhman": hmac.new(key.encode(), json.dumps(secrets, sort_keys=True).encode(), hashlib.sha256).hexdigest()[:32]}


def _differences(there: Mapping[str, Any], wanted: Mapping[str, Any], *, mark: bool) -> list[str]:
    found = [name for name in _SEEN if (there.get(name) or "") != (wanted[name] or "")]
    data = there.get("jsonData") or {}
    found += [name for name in _MANAGED if (mark or name != "canhman") and data.get(name) != wanted["jsonData"].get(name)]
    fields = there.get("secureJsonFields") or {}
    return found + [name for name in wanted["secureJsonData"] if not fields.get(name)]


def _status(body: object) -> str:
    return str(body.get("status") or "") if isinstance(body, dict) else ""


def _words(body: object) -> str:
    """Grafana's own words, one line."""
    text = body.get("message") or body.get("error") or "" if isinstance(body, dict) else body
    return " ".join(str(text or "").split())[:300]


def _innermost(error: BaseException) -> str:
    """What the machine said, without the library's layers around it."""
    seen: BaseException | None = error
    words = type(error).__name__
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            words = seen.strerror
        if isinstance(seen, ssl.SSLCertVerificationError):
            words = seen.verify_message
        inner = seen.args[0] if seen.args and isinstance(seen.args[0], BaseException) else getattr(seen.args[0] if seen.args else None, "reason", None)
        seen = inner if isinstance(inner, BaseException) else seen.__cause__ or seen.__context__
    return words


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
