"""What can be wrong with TLS of our own listener: each fault names its file and the way out, at start and in doctor."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers.certificates import certificate
from servers.front import Front
from servers.ports import free_port

from canhman import heartbeat, listener_tls
from canhman.settings import Settings, read_settings
from core.errors import ConfigError

pytestmark = pytest.mark.sockets


def settings(monkeypatch: pytest.MonkeyPatch, **given: object) -> Settings:
    for name, value in ({"BROKER": "embeddeds://0.0.0.0:8883"} | given).items():
        monkeypatch.setenv(f"CANHMAN_{name}", str(value))
    return read_settings()


@contextmanager
def listening(cert: Path, key: Path) -> Iterator[int]:
    """A TLS server on a free port of this machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    loop = asyncio.new_event_loop()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1):  # a CONNECT: refused, as in a closed installation
            writer.write(b"\x20\x03\x00\x87\x00")
        writer.close()

    server = loop.run_until_complete(asyncio.start_server(refuse, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.close()


# ---------------------------------------------------------------- the files


def test_each_fault_of_the_files_names_the_file(front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing in the settings, misspelt, another's key, no certificate, no key, swapped, a password: ingest says it at start, doctor is red with it.

    That both say what `server_context` says is seen in two of them: a program takes a second to start.
    """
    front.ok("migrate")
    cert, key = certificate(tmp_path, "ours")
    _, other = certificate(tmp_path, "other")
    locked, nowhere = tmp_path / "locked.key", tmp_path / "nowhere.pem"
    subprocess.run(["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:x", "-out", str(locked)], check=True, capture_output=True)
    broker = f"embeddeds://127.0.0.1:{free_port()}"
    for given, says in [
        ({"TLS_KEY": key}, "CANHMAN_TLS_CERT"),
        ({"TLS_CERT": cert}, "CANHMAN_TLS_KEY"),
        ({"TLS_CERT": nowhere, "TLS_KEY": key}, f"CANHMAN_TLS_CERT='{nowhere}' is not there"),
        ({"TLS_CERT": cert, "TLS_KEY": nowhere}, f"CANHMAN_TLS_KEY='{nowhere}' is not there"),
        ({"TLS_CERT": cert, "TLS_KEY": other}, f"CANHMAN_TLS_KEY='{other}' does not belong to CANHMAN_TLS_CERT='{cert}'"),
        ({"TLS_CERT": key, "TLS_KEY": cert}, f"CANHMAN_TLS_CERT='{key}' holds no certificate"),
        ({"TLS_CERT": cert, "TLS_KEY": cert}, f"CANHMAN_TLS_KEY='{cert}' holds no private key"),
        ({"TLS_CERT": cert, "TLS_KEY": locked}, f"CANHMAN_TLS_KEY='{locked}' asks for a password"),
        ({"TLS_CERT": tmp_path, "TLS_KEY": key}, f"CANHMAN_TLS_CERT='{tmp_path}'"),
    ]:
        with monkeypatch.context() as patched, pytest.raises(ConfigError) as caught:
            listener_tls.server_context(settings(patched, BROKER=broker, **given))
        assert says in str(caught.value)
        if given not in ({"TLS_KEY": key}, {"TLS_CERT": cert, "TLS_KEY": other}):
            continue
        texts = {name: str(value) for name, value in given.items()}
        done = front("ingest", "--wait", "0", BROKER=broker, **texts)
        assert done.code == 1
        assert says in done.err
        assert "Traceback" not in done.err
        done = front("doctor", "--json", BROKER=broker, ENROL="closed", **texts)
        assert done.code == 1
        assert [f for f in done.json if f["part"] == "broker" and f["mark"] == "red" and says in f["text"]], (says, done.json)
    listener_tls.server_context(settings(monkeypatch, TLS_CERT=cert, TLS_KEY=key))


def test_a_key_we_may_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose it is, who we are, and the commands that mend it."""
    cert, key = certificate(tmp_path, "ours")
    read = Path.read_bytes

    def deny(path: Path) -> bytes:
        if path == key:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", deny)
    with pytest.raises(ConfigError, match="CANHMAN_TLS_KEY") as caught:
        listener_tls.server_context(settings(monkeypatch, TLS_CERT=cert, TLS_KEY=key))
    assert "(mode 600)" in str(caught.value)
    assert f"chown root:{listener_tls.ownership.we()} {key}; chmod 640 {key}" in str(caught.value)
    assert "systemctl restart canhman" in str(caught.value)


# ---------------------------------------------------------------- the certificate as devices see it


def findings(front: Front, port: int, **given: object) -> list[tuple[str, str]]:
    heartbeat.write(front.data, "ingest", {}, {})
    texts = {name: str(value) for name, value in given.items()}
    done = front("doctor", "--json", BROKER=f"embeddeds://0.0.0.0:{port}", ENROL="closed", **texts)
    found = [(f["mark"], f["text"]) for f in done.json if f["part"] == "broker"]
    assert done.code == (1 if "red" in [mark for mark, _ in found] else 0), done.json
    return found


def test_the_certificate_is_looked_at(front: Front, tmp_path: Path) -> None:
    """For another name, by another authority: red, in a closed installation too; for the name of CANHMAN_URL alone it is well."""
    front.ok("migrate")
    cert, key = certificate(tmp_path, "lan", "DNS:canhman.lan", "DNS:*.farm.vn", "IP:192.168.1.10")
    other, _ = certificate(tmp_path, "other")
    files = {"TLS_CERT": cert, "TLS_KEY": key}
    with listening(cert, key) as port:
        [(mark, text)] = findings(front, port, **files, BROKER_CA=cert)
        assert mark == "red"
        assert "for canhman.lan, *.farm.vn, 192.168.1.10, not for 127.0.0.1" in text
        assert "systemctl restart canhman" in text
        for url in ("http://192.168.1.10:8000", "https://canhman.lan", "https://mn.farm.vn"):
            [(mark, text)] = findings(front, port, **files, BROKER_CA=cert, URL=url)
            assert mark == "ok"
            assert "certificate is for canhman.lan" in text
        for url in ("http://192.168.1.11:8000", "https://farm.vn", "https://a.b.farm.vn"):
            assert [mark for mark, _ in findings(front, port, **files, BROKER_CA=cert, URL=url)] == ["red"]
        [(mark, text)] = findings(front, port, **files, BROKER_CA=other, URL="https://canhman.lan")
        assert mark == "red"
        assert "devices refuse its certificate" in text
        assert f"CANHMAN_BROKER_CA='{other}'" in text


def test_a_certificate_for_this_machine_alone(front: Front, tmp_path: Path) -> None:
    """It works here, and devices that use the address of the pages hang up: a warning that names both."""
    front.ok("migrate")
    cert, key = certificate(tmp_path, "here")
    with listening(cert, key) as port:
        found = findings(front, port, TLS_CERT=cert, TLS_KEY=key, BROKER_CA=cert, URL="http://192.168.1.10:8000")
    assert ("warn", "its certificate is for 127.0.0.1, not for 192.168.1.10 (CANHMAN_URL): devices that connect to that name hang up") in found


def test_a_plain_listener_with_a_certificate(front: Front, tmp_path: Path) -> None:
    """Somebody meant TLS and forgot an s."""
    front.ok("migrate")
    done = front("doctor", "--json", BROKER=f"embedded://127.0.0.1:{free_port()}", TLS_CERT=str(tmp_path / "x"))
    assert [f for f in done.json if f["mark"] == "warn" and "embeddeds://" in f["text"]]


# ---------------------------------------------------------------- files of another


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("what", ["", "journal", "registry.db"])
def test_what_root_made_is_named(front: Front, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder, journal or database of root's: doctor and services name it, its owner and chown."""
    front.ok("migrate")
    (front.data / "journal").mkdir(exist_ok=True)
    denied = front.data / what
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != denied)
    monkeypatch.setattr(os, "geteuid", lambda: 65_534)
    for words in (["doctor"], ["ingest", "--wait", "0"]):
        done = front(*words, BROKER=f"embedded://127.0.0.1:{free_port()}")
        assert done.code == 1
        assert str(denied) in done.out + done.err
        assert "belongs to root:root" in done.out + done.err
        assert f": {front.data}" in done.out + done.err
        assert "chown -R" in done.out + done.err
