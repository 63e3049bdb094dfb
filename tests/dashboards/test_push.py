"""The push, against a server that answers as Grafana does: what is written, what is left alone, and what is said when it cannot be."""

from __future__ import annotations

import copy
import logging
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.grafana import FakeGrafana
from servers.ports import free_port

from core.errors import CanhManError, ConfigError, ConflictError, RefusedError, UnavailableError
from dashboards.provisioning import FOLDER, UID, Store, datasource
from dashboards.push import Grafana, Step

pytestmark = pytest.mark.sockets

TOKEN = "glsa_secret-token"
STORE = Store(url="http://db:8086", database="canhman", user="reader", password="s3cret-password")
BOARD = {"uid": "b-1", "title": "Tổng quan", "schemaVersion": 37, "panels": [{"id": 1, "type": "stat", "gridPos": {"x": 0, "y": 0, "w": 6, "h": 4}}]}
OTHER = BOARD | {"uid": "b-2", "title": "Trạm đo"}


@pytest.fixture
def grafana() -> Iterator[FakeGrafana]:
    """A Grafana 9.4 with nothing in it."""
    server = FakeGrafana(token=TOKEN).start()
    yield server
    server.stop()


def push(server: FakeGrafana, *boards: dict[str, Any], store: Store = STORE, token: str = TOKEN, overwrite: bool = False) -> list[str]:
    """What was done, `kind name done`."""
    with Grafana(server.url, token, timeout=10) as client:
        client.version()
        steps: list[Step] = list(client.push(boards or (BOARD,), datasource(store), token, overwrite=overwrite))
    return [f"{step.kind} {step.name} {step.done}" for step in steps]


def failure(server: FakeGrafana, kind: type[CanhManError], **more: Any) -> str:
    """The words of a push that must fail: one line, without a secret."""
    with pytest.raises(kind) as caught:
        push(server, **more)
    text = str(caught.value)
    assert "\n" not in text
    assert TOKEN not in text
    assert "s3cret" not in text
    assert caught.value.__cause__ is None
    return text


# ---------------------------------------------------------------- what is written


def test_the_first_push_makes_everything(grafana: FakeGrafana) -> None:
    """Folder, datasource with its password, and every board in the folder."""
    assert push(grafana, BOARD, OTHER) == [f"folder {FOLDER} created", f"datasource {UID} created", "board Tổng quan created", "board Trạm đo created"]
    assert grafana.folders[UID]["title"] == FOLDER
    kept = grafana.datasources[UID]
    assert (kept["user"], kept["secureJsonData"], kept["database"], kept["jsonData"]["dbName"]) == (
        "reader",
        {"password": "s3cret-password"},
        "canhman",
        "canhman",
    )
    assert {uid: b["folder"] for uid, b in grafana.boards.items()} == {"b-1": UID, "b-2": UID}
    assert {k: v for k, v in grafana.board("b-1").items() if k not in ("id", "version")} == BOARD


@pytest.mark.parametrize("version", ["9.4.0", "9.5.21", "10.4.19", "11.6.0", "12.1.0+security-01", "13.0.1"])
def test_a_second_push_writes_nothing(grafana: FakeGrafana, version: str) -> None:
    """No request but GET arrives the second time, in every version."""
    grafana.version = version
    push(grafana, BOARD, OTHER)
    written = list(grafana.writes)
    assert push(grafana, BOARD, OTHER) == [f"folder {FOLDER} unchanged", f"datasource {UID} unchanged", "board Tổng quan unchanged", "board Trạm đo unchanged"]
    assert grafana.writes == written


def test_a_grafana_that_stores_boards_in_its_own_form(grafana: FakeGrafana) -> None:
    """Newer ones migrate what they are given: by the words of our own save we see that it is ours, and write nothing."""
    grafana.version = "12.0.0"
    grafana.rewrites = lambda board: board | {"schemaVersion": 42, "preload": False}
    push(grafana)
    written = list(grafana.writes)
    assert push(grafana)[-1] == "board Tổng quan unchanged"
    assert grafana.writes == written
    assert push(grafana, BOARD | {"title": "Tổng quan 2"})[-1] == "board Tổng quan 2 updated"


def test_a_changed_board_is_updated_where_it_stands(grafana: FakeGrafana) -> None:
    """Only the changed one is written, once, and what an officer moved stays in his folder."""
    push(grafana, BOARD, OTHER)
    grafana.folders["office"] = {"uid": "office", "title": "Chi cục"}
    grafana.boards["b-1"]["folder"] = "office"
    before = len(grafana.writes)
    changed = copy.deepcopy(BOARD) | {"refresh": "5m"}
    assert push(grafana, changed, OTHER)[2:] == ["board Tổng quan updated", "board Trạm đo unchanged"]
    assert grafana.writes[before:] == ["POST /api/dashboards/db"]
    assert grafana.board("b-1")["refresh"] == "5m"
    assert grafana.boards["b-1"]["folder"] == "office"


@pytest.mark.parametrize(
    "changed",
    [
        Store(url="http://db:8086", database="canhman", user="reader", password="another"),
        Store(url="http://db2:8086", database="canhman", user="reader", password="s3cret-password"),
        Store(url="http://db:8086", database="other", user="reader", password="s3cret-password"),
        Store(url="http://db:8086", database="canhman", api="v2", token="tok"),
        Store(url="http://db:8086", database="canhman"),
    ],
    ids=["password", "address", "database", "version", "no user"],
)
def test_a_changed_datasource_is_updated(grafana: FakeGrafana, changed: Store) -> None:
    """Also where only the secret changed, which Grafana never shows; what others set on it stays."""
    push(grafana)
    grafana.datasources[UID]["jsonData"]["timeInterval"] = "1m"
    grafana.datasources[UID]["isDefault"] = True
    before = len(grafana.writes)
    assert push(grafana, store=changed)[1] == f"datasource {UID} updated"
    assert grafana.writes[before:] == [f"PUT /api/datasources/uid/{UID}"]
    kept = grafana.datasources[UID]
    wanted = datasource(changed)
    assert kept["secureJsonData"].items() >= wanted["secureJsonData"].items()
    assert {name: kept[name] for name in ("url", "database", "user")} == {name: wanted[name] for name in ("url", "database", "user")}
    assert kept["jsonData"].get("httpHeaderName1") == wanted["jsonData"].get("httpHeaderName1")
    assert (kept["jsonData"]["timeInterval"], kept["isDefault"]) == ("1m", True)
    assert push(grafana, store=changed)[1] == f"datasource {UID} unchanged"


def test_the_mark_of_a_secret_tells_nothing(grafana: FakeGrafana) -> None:
    """Everybody who may look sees it: it is not the secret, and other for another token of ours."""
    push(grafana)
    mark = grafana.datasources[UID]["jsonData"]["canhman"]
    assert len(mark) == 32
    assert "s3cret" not in mark
    grafana.token = "glsa_other"
    push(grafana, token="glsa_other")
    assert grafana.datasources[UID]["jsonData"]["canhman"] != mark


# ---------------------------------------------------------------- what is left alone


def test_what_somebody_changed_by_hand_is_left(grafana: FakeGrafana) -> None:
    """The push says so and what --overwrite does; nothing is written, and with it ours takes its place."""
    push(grafana)
    grafana.edit("b-1", title="Của tôi")
    before = len(grafana.writes)
    text = failure(grafana, ConflictError)
    assert "Tổng quan" in text
    assert "by hand" in text
    assert "--overwrite" in text
    assert grafana.writes[before:] == []
    assert grafana.board("b-1")["title"] == "Của tôi"
    assert push(grafana, overwrite=True)[-1] == "board Tổng quan updated"
    assert grafana.board("b-1")["title"] == "Tổng quan"
    assert push(grafana)[-1] == "board Tổng quan unchanged"


def test_a_change_by_hand_and_a_new_board_of_ours(grafana: FakeGrafana) -> None:
    """His words in the version do not make it ours."""
    push(grafana)
    grafana.edit("b-1", refresh="1h", message="restored from version 1")
    with pytest.raises(ConflictError, match="by hand"):
        push(grafana, BOARD | {"refresh": "5m"})


def test_a_change_in_the_same_moment(grafana: FakeGrafana) -> None:
    """Saved between our look and our write: Grafana's own 412 is told in the same words."""
    push(grafana)
    grafana.fail("POST /api/dashboards/db", "mismatch")
    with pytest.raises(ConflictError, match=r"by hand.*--overwrite"):
        push(grafana, BOARD | {"refresh": "5m"})


def test_a_board_of_the_same_name(grafana: FakeGrafana) -> None:
    """Another uid with our title in our folder: it is named, not replaced, not even with --overwrite."""
    push(grafana, BOARD | {"uid": "theirs"})
    for overwrite in (False, True):
        text = failure(grafana, ConflictError, overwrite=overwrite)
        assert "another uid" in text
    assert "b-1" not in grafana.boards


def test_a_datasource_and_a_folder_of_the_same_name(grafana: FakeGrafana) -> None:
    """The names are taken by others: told which, with the way out."""
    grafana.datasources["x"] = {"uid": "x", "name": UID, "readOnly": False, "secureJsonData": {}}
    assert "datasource 'canhman' with another uid" in failure(grafana, ConflictError)
    grafana.datasources.clear()
    grafana.folders.clear()
    grafana.folders["y"] = {"uid": "y", "title": FOLDER}
    assert f"folder '{FOLDER}' with another uid" in failure(grafana, ConflictError)


def test_what_comes_from_files_is_left(grafana: FakeGrafana) -> None:
    """A provisioned datasource or board that is the same is unchanged; one that differs is told, with `dashboards build`."""
    push(grafana)
    grafana.datasources[UID]["readOnly"] = True
    del grafana.datasources[UID]["jsonData"]["canhman"]
    grafana.boards["b-1"]["provisioned"] = True
    assert push(grafana)[1:] == [f"datasource {UID} unchanged", "board Tổng quan unchanged"]
    for overwrite in (False, True):
        with pytest.raises(ConflictError, match=r"Tổng quan.*canhman dashboards build"):
            push(grafana, BOARD | {"refresh": "5m"}, overwrite=overwrite)
    text = failure(grafana, ConflictError, store=Store(url="http://db2:8086", database="canhman", user="reader", password="x"))
    assert "datasource" in text
    assert "differs in url" in text


# ---------------------------------------------------------------- what is said


def test_a_wrong_token(grafana: FakeGrafana) -> None:
    """One line that names the variable and the role."""
    text = failure(grafana, RefusedError, token="glsa_wrong")
    assert "CANHMAN_GRAFANA_TOKEN" in text
    assert "Invalid API key" in text
    assert "glsa_wrong" not in text
    assert grafana.writes == []


def test_a_token_that_may_not(grafana: FakeGrafana) -> None:
    """403: what it may not do, and the role it needs."""
    grafana.fail("POST /api/datasources", "403")
    text = failure(grafana, RefusedError)
    assert "may not make the datasource" in text
    assert "CANHMAN_GRAFANA_TOKEN" in text
    assert "Admin" in text


@pytest.mark.parametrize("version", ["9.3.14", "8.5.27", "7.5.17"])
def test_an_older_grafana_is_refused(grafana: FakeGrafana, version: str) -> None:
    """Its version and ours are named, before anything is written."""
    grafana.version = version
    text = failure(grafana, RefusedError)
    assert version in text
    assert "9.4" in text
    assert grafana.writes == []


def test_newer_and_nameless_grafanas_are_taken_with_a_note(grafana: FakeGrafana) -> None:
    """A version that was not tried, and one that is hidden, are no reason to refuse."""
    with Grafana(grafana.url, TOKEN) as client:
        grafana.version = "14.0.0"
        assert "newer than 13" in client.version()[1]
        grafana.version = ""
        assert "does not tell" in client.version()[1]
        for version in ("9.4.0", "v10.0.0-pre", "13.9.9"):
            grafana.version = version
            assert client.version() == (version, "")


@pytest.mark.parametrize("fault", ["page", "page 404", "number", "influx"])
def test_what_is_no_grafana(grafana: FakeGrafana, fault: str) -> None:
    """A page, a bare number, another server: named as no Grafana, with the variable."""
    grafana.fail("GET /api/health", fault)
    text = failure(grafana, RefusedError)
    assert "is no Grafana" in text
    assert "CANHMAN_GRAFANA" in text
    assert "<" not in text


def test_a_redirect_is_not_followed(grafana: FakeGrafana) -> None:
    """A token goes to the address that was given and to no other."""
    grafana.fail("GET /api/health", "redirect")
    assert "grafana.example/login" in failure(grafana, RefusedError)


@pytest.mark.parametrize("fault", ["500", "429", "page 502"])
def test_a_server_in_trouble(grafana: FakeGrafana, fault: str) -> None:
    """A fault of theirs is weather: what answers later may be asked again."""
    grafana.fail("POST /api/dashboards/db", fault)
    assert f"answered {fault.removeprefix('page ')}" in failure(grafana, UnavailableError)
    assert push(grafana)[-1] == "board Tổng quan created"


def test_a_database_that_fails(grafana: FakeGrafana) -> None:
    """Its own database is away: 503 at /api/health."""
    grafana.fail("GET /api/health", "503")
    assert "503" in failure(grafana, UnavailableError)


def test_other_refusals_hold_its_words(grafana: FakeGrafana) -> None:
    """A 400 is told with what was asked and what it said."""
    grafana.fail("POST /api/datasources", "400")
    text = failure(grafana, RefusedError)
    assert "would not make the datasource: 400 bad request data" in text


def test_nobody_there() -> None:
    """A closed port: the machine's words, without the library's."""
    with Grafana(f"http://127.0.0.1:{free_port()}", TOKEN) as client, pytest.raises(UnavailableError) as caught:
        client.version()
    assert "Connection refused" in str(caught.value)
    assert "HTTPConnectionPool" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "with space", "line\nbreak", "mật-khẩu"])
def test_what_can_be_no_token(token: str) -> None:
    """Refused before anything is sent; it is not repeated."""
    with pytest.raises(ConfigError) as caught:
        Grafana("http://127.0.0.1:1", token)
    assert "CANHMAN_GRAFANA_TOKEN" in str(caught.value)
    assert not token or token not in str(caught.value)


def test_a_path_before_the_api() -> None:
    """Grafana behind a reverse proxy at /grafana/."""
    server = FakeGrafana(token=TOKEN, prefix="/grafana").start()
    try:
        assert push(server)[-1] == "board Tổng quan created"
    finally:
        server.stop()


def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate nobody vouches for is refused with the way out; with SSL_CERT_FILE it is taken."""
    program = shutil.which("openssl")
    if program is None:
        why = "openssl is not installed (Debian: apt-get install openssl)"
        pytest.fail(why) if os.environ.get("REQUIRE_SERVERS") == "1" else pytest.skip(why)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=g", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([program, "req", "-x509", *made, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = FakeGrafana(token=TOKEN, tls=context).start()
    try:
        text = failure(server, RefusedError)
        assert "certificate is not trusted" in text
        assert "SSL_CERT_FILE" in text
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert push(server)[-1] == "board Tổng quan created"
    finally:
        server.stop()


def test_secrets_stay_out_of_logs(grafana: FakeGrafana, caplog: pytest.LogCaptureFixture) -> None:
    """Neither token nor password is in what the libraries log, at any level."""
    # influxdb-client, used in the same process by another test, quietens urllib3's own logger
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="urllib3"), caplog.at_level(logging.DEBUG, logger="urllib3.connectionpool"):
        push(grafana)
        grafana.fail("PUT /api/datasources/uid/canhman", "400")
        failure(grafana, RefusedError, store=Store(url="http://db:8086", database="other", user="reader", password="s3cret-password"))
    assert caplog.text
    assert TOKEN not in caplog.text
    assert "s3cret" not in caplog.text
