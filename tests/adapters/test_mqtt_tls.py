"""MQTT over TLS to a real Mosquitto: our CA is taken, another's is refused, and a plain port is told apart."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from servers.mosquitto import Mosquitto
from servers.ports import free_port

from adapters.mqtt import PahoSource
from adapters.mqtt_own import OwnSource
from adapters.mqtt_publisher import PahoPublisher
from core.errors import CanhManError, ConfigError, RefusedError
from core.ports import Delivery
from registry.broker_files import BrokerTls, configuration, hash_password

pytestmark = pytest.mark.servers

LOGIN = {"username": "u", "password": "pw"}
TOPIC = "canhman/o/d/telemetry"


def certificate(folder: Path, name: str) -> BrokerTls:
    """A self-signed certificate for 127.0.0.1, its own CA."""
    program = shutil.which("openssl")
    if program is None:
        why = "openssl is not installed (Debian: apt-get install openssl)"
        pytest.fail(why) if os.environ.get("REQUIRE_SERVERS") == "1" else pytest.skip(why)
    made = BrokerTls(certfile=str(folder / f"{name}.pem"), keyfile=str(folder / f"{name}.key"))
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([program, "req", "-x509", *curve, "-days", "2", *subject, "-out", made.certfile, "-keyout", made.keyfile], check=True, capture_output=True)
    return made


def secured(folder: Path, tls: BrokerTls) -> Mosquitto:
    """A Mosquitto with the shipped configuration and TLS."""
    port = free_port()
    files = {"password_path": str(folder / "users"), "acl_path": str(folder / "acl"), "data_path": str(folder)}
    whole = configuration(host="127.0.0.1", port=port, tls=tls, **files)
    return Mosquitto(folder, port=port, whole=whole, users=f"u:{hash_password('pw', salt=b'0' * 12)}\n", acl="user u\ntopic readwrite #\n")


@pytest.mark.parametrize("client", [PahoSource, OwnSource])
def test_both_ends_over_tls_survive_a_restart(tmp_path: Path, client: type[PahoSource] | type[OwnSource]) -> None:
    """2,000 messages of 1 kB through TLS both ways, the broker restarted in the middle: all acknowledged, all arrive."""
    tls = certificate(tmp_path, "ours")

    async def test(server: Mosquitto) -> None:
        source = client("127.0.0.1", server.port, client_id="s", tls=True, tls_ca=tls.certfile, **LOGIN)
        publisher = PahoPublisher("127.0.0.1", server.port, client_id="p", tls=True, tls_ca=tls.certfile, **LOGIN)
        await source.open()
        await publisher.open()
        calls = [asyncio.create_task(publisher.publish(TOPIC, str(i).encode().ljust(1000))) for i in range(2000)]
        await calls[500]
        server.stop()
        server.start()
        seen: set[int] = set()
        while len(seen) < 2000:
            batch = await source.batch()
            source.acknowledge(batch)
            seen |= {int(m.payload) for m in batch}
        assert set(await asyncio.gather(*calls)) == {Delivery.ACKNOWLEDGED}
        await publisher.close()
        await source.close()

    with secured(tmp_path, tls) as server:
        asyncio.run(asyncio.wait_for(test(server), 60))


@pytest.mark.parametrize("client", [PahoPublisher, OwnSource])
def test_what_is_wrong_with_tls_is_said_in_one_line(tmp_path: Path, client: type[PahoPublisher] | type[OwnSource]) -> None:
    """Another CA, no TLS where it is wanted, TLS where there is none, a missing CA file: one line each, none of them hangs."""
    tls, other = certificate(tmp_path, "ours"), certificate(tmp_path, "other")

    async def error(port: int, **how: str | None) -> CanhManError:
        with pytest.raises(CanhManError) as caught:
            await client("127.0.0.1", port, client_id="p", timeout_s=2, tls=how["ca"] is not None, tls_ca=how["ca"], **LOGIN).open()
        assert "\n" not in str(caught.value)
        return caught.value

    async def test(secure: Mosquitto, plain: Mosquitto) -> None:
        wrong = await error(secure.port, ca=other.certfile)
        assert isinstance(wrong, RefusedError)
        assert f"127.0.0.1:{secure.port}" in str(wrong)
        assert "CERTIFICATE_VERIFY_FAILED" in str(wrong)
        await error(secure.port, ca=None)
        await error(plain.port, ca=tls.certfile)
        missing = await error(secure.port, ca=str(tmp_path / "nowhere.pem"))
        assert isinstance(missing, ConfigError)
        assert "nowhere.pem" in str(missing)

    with secured(tmp_path, tls) as secure, Mosquitto(tmp_path / "plain") as plain:
        asyncio.run(asyncio.wait_for(test(secure, plain), 60))
