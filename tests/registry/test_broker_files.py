"""Password file, ACL file and configuration for Mosquitto, held against a real Mosquitto and against our own rule."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from servers.mosquitto import Mosquitto, binary
from servers.ports import free_port

from adapters.listener_shared import Limits
from adapters.mqtt import PahoSource
from adapters.mqtt_publisher import PahoPublisher
from core.errors import ConfigError, ConflictError, RefusedError
from core.place import Device, Org
from core.ports import Delivery, RegistrySnapshot
from registry.broker_files import (
    INGEST_USER,
    BrokerTls,
    acl_file,
    broker_user,
    configuration,
    hash_password,
    join_key,
    password_file,
    verify_password,
)
from registry.permissions import BROKER_STATE, ECHOES, FILTERS, may_publish, may_subscribe, principal_of

SECRET = b"s" * 32
SALT = b"0123456789ab"


def device(id: str, org: str, *, own: bool = True) -> Device:
    return Device(id=id, org=org, credential=hash_password(f"pw-{id}", salt=SALT) if own else "")


SNAPSHOT = RegistrySnapshot(
    version=1,
    orgs=(Org(id="default", name="Default"), Org(id="soc-trang", name="Sóc Trăng", join_generation=3)),
    devices=(device("kl01", "default"), device("a4:cf:12", "default"), device("open1", "default", own=False), device("st01", "soc-trang")),
    stations=(),
    deployments=(),
    waterways=(),
)
OWNERS = {d.id: d for d in SNAPSHOT.devices}


def password_of(principal: str) -> str:
    kind, _, name = principal.partition(":")
    if kind == "device":
        return f"pw-{name}"
    return join_key(SECRET, name, next(o.join_generation for o in SNAPSHOT.orgs if o.id == name))


def username_of(principal: str) -> str:
    return principal if principal.startswith("org:") else principal.removeprefix("device:")


def test_a_broker_takes_what_our_listener_takes() -> None:
    """A device moved from one to the other sends the same packets."""
    assert f"max_packet_size {Limits().max_packet}" in configuration(password_path="/p", acl_path="/a", data_path="/d").splitlines()


@given(st.text(st.characters(exclude_characters="\0"), max_size=40), st.binary(min_size=12, max_size=12), st.text(max_size=40))
@example("", SALT, "\0")
@example("a", SALT, "a\0")
def test_a_hash_takes_its_own_password_only(password: str, salt: bytes, other: str) -> None:
    """verify(hash(p), q) is p == q."""
    hashed = hash_password(password.encode("utf-8", "replace").decode(), salt=salt)
    assert verify_password(hashed, password.encode("utf-8", "replace").decode())
    assert verify_password(hashed, other) == (other == password.encode("utf-8", "replace").decode())


def test_a_password_with_a_zero_is_refused() -> None:
    """HMAC fills a key with zeros: "a" and "a" with a zero behind it would be one password."""
    with pytest.raises(ValueError, match=r"U\+0000"):
        hash_password("a\0", salt=SALT)


@pytest.mark.parametrize("hashed", ["", "plain", "$7$0$x$y", "$6$salt$hash", "$7$999999999$" + "A" * 16 + "$" + "A" * 86 + "==", "$7$101$AAAA$BBBB"])
def test_another_form_of_hash_takes_no_password(hashed: str) -> None:
    """A text that is no $7$ hash refuses everybody and never raises."""
    assert not verify_password(hashed, "")


def test_the_join_key_is_stable_and_rotates() -> None:
    """26 letters and digits from (secret, org, generation); each of the three changes it."""
    key = join_key(SECRET, "default", 1)
    assert key == join_key(SECRET, "default", 1)
    assert len(key) == 26
    assert key.isalnum()
    assert key == key.lower()
    assert len({key, join_key(SECRET, "default", 2), join_key(SECRET, "other", 1), join_key(b"t" * 32, "default", 1)}) == 4


def test_files_are_stable_and_name_each_user_once() -> None:
    """The same registry gives the same bytes; one line per user; closed enrolment has no join user at all."""
    text = password_file(SNAPSHOT, secret=SECRET, closed=False, ingest_password="i")
    assert text == password_file(SNAPSHOT, secret=SECRET, closed=False, ingest_password="i")
    assert [line.split(":")[0] for line in text.splitlines()] == [INGEST_USER, "org/default", "org/soc-trang", "a4/cf/12", "kl01", "st01"]
    assert "org/" not in password_file(SNAPSHOT, secret=SECRET, closed=True, ingest_password="i")
    assert "org/" not in acl_file(SNAPSHOT, closed=True)


def test_no_wildcard_for_an_org_outside_the_join_users() -> None:
    """A device's rules name exact topics; a join user's denials stand before what it may write."""
    blocks = {b.splitlines()[0].removeprefix("user "): b.splitlines()[1:] for b in acl_file(SNAPSHOT, closed=False).split("\n\n")}
    assert blocks["kl01"] == [
        "topic write canhman/default/kl01/telemetry",
        "topic write canhman/default/kl01/senml",
        "topic write canhman/default/kl01/frame/+",
        "topic write canhman/default/kl01/status",
        "topic write canhman/default/kl01/command/ack",
        "topic read canhman/default/kl01/command",
    ]
    assert [r for r in blocks["org/default"] if "deny" in r] == blocks["org/default"][:3]
    assert blocks[INGEST_USER] == [
        *(f"topic read {f}" for f in (*FILTERS, BROKER_STATE)),
        "topic write canhman/+/+/command",
        *(f"topic write {t}" for t in ECHOES),
    ]


@pytest.mark.parametrize("id", [INGEST_USER, "org:default"])
def test_a_device_cannot_take_another_users_name(id: str) -> None:
    """A device named like ingest or a join user is refused, with its name, in both files."""
    snapshot = RegistrySnapshot(version=1, orgs=(), devices=(device(id, "default"),), stations=(), deployments=(), waterways=())
    with pytest.raises(ConflictError, match=id):
        password_file(snapshot, secret=SECRET, closed=True, ingest_password="i")
    with pytest.raises(ConflictError, match=id):
        acl_file(snapshot, closed=True)


def test_a_credential_cannot_add_lines() -> None:
    """A credential of another form (a second user behind a line break) is refused, not written."""
    planted = Device(id="d", org="default", credential=hash_password("x", salt=SALT) + f"\nadmin:{hash_password('y', salt=SALT)}")
    snapshot = RegistrySnapshot(version=1, orgs=(), devices=(planted,), stations=(), deployments=(), waterways=())
    with pytest.raises(ConfigError, match="device d"):
        password_file(snapshot, secret=SECRET, closed=True, ingest_password="i")


@given(st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True))
def test_both_spellings_of_a_user_name_are_one_principal(name: str) -> None:
    """`:` and `/` mean the same in a user name, and two names never become one."""
    assert principal_of(broker_user(name)) == principal_of(name)
    assert principal_of(name) == (name if name.startswith("org:") else f"device:{name}")


def test_what_a_principal_may_subscribe() -> None:
    """A device its own command topic, exactly; nobody anything else."""
    assert may_subscribe("device:kl01", "canhman/default/kl01/command", owner=OWNERS.get)
    for principal, topic_filter in [
        ("device:kl01", "canhman/default/+/command"),
        ("device:kl01", "canhman/default/a4:cf:12/command"),
        ("device:kl01", "canhman/default/kl01/#"),
        ("device:kl01", "#"),
        ("device:open1", "canhman/default/open1/command"),
        ("device:nobody", "canhman/default/nobody/command"),
        ("org:default", "canhman/default/open1/command"),
        ("org:default", "#"),
    ]:
        assert not may_subscribe(principal, topic_filter, owner=OWNERS.get), (principal, topic_filter)


PRINCIPALS = ["device:kl01", "device:a4:cf:12", "device:st01", "org:default", "org:soc-trang"]
TOPICS = [
    *(f"canhman/{org}/{d}/telemetry" for org in ("default", "soc-trang", "nowhere") for d in ("kl01", "a4:cf:12", "open1", "st01", "new-one")),
    *(f"canhman/default/{d}/{leaf}" for d in ("kl01", "new-one") for leaf in ("senml", "frame/1", "frame/", "frame/1/2", "frame", "status", "command/ack")),
    *(f"canhman/default/{d}/{leaf}" for d in ("kl01", "new-one") for leaf in ("command", "telemetry/", "telemetry/x", "other", "")),
    "canhman/default/kl01",
    "canhman/default/telemetry",
    "canhman//kl01/telemetry",
    "canhman/default//telemetry",
    "/canhman/default/kl01/telemetry",
    "other/default/kl01/telemetry",
    "application/1/device/kl01/event/up",
    "v3/a@b/devices/kl01/up",
    "telemetry",
]


def test_the_rule_itself() -> None:
    """A device as itself only; a join key for its org's unknown and credential-less devices only."""
    allowed = {(p, t) for p in PRINCIPALS for t in TOPICS if t.endswith("/telemetry") and may_publish(p, t, owner=OWNERS.get)}
    assert allowed == {
        ("device:kl01", "canhman/default/kl01/telemetry"),
        ("device:a4:cf:12", "canhman/default/a4:cf:12/telemetry"),
        ("device:st01", "canhman/soc-trang/st01/telemetry"),
        ("org:default", "canhman/default/open1/telemetry"),
        ("org:default", "canhman/default/new-one/telemetry"),
        ("org:default", "canhman/default//telemetry"),
        ("org:soc-trang", "canhman/soc-trang/new-one/telemetry"),
    }
    assert not may_publish("device:open1", "canhman/default/open1/telemetry", owner=OWNERS.get)
    assert not may_publish("", "canhman/default/new-one/telemetry", owner=OWNERS.get)


def shipped(folder: Path) -> Mosquitto:
    """A Mosquitto with exactly the files we write."""
    port = free_port()
    return Mosquitto(
        folder,
        port=port,
        whole=configuration(host="127.0.0.1", port=port, password_path=str(folder / "users"), acl_path=str(folder / "acl"), data_path=str(folder)),
        users=password_file(SNAPSHOT, secret=SECRET, closed=False, ingest_password="ingest-pw"),
        acl=acl_file(SNAPSHOT, closed=False),
    )


def client(server: Mosquitto, username: str, password: str, *, id: str = "") -> PahoPublisher:
    return PahoPublisher(server.host, server.port, client_id=id or f"c-{username}", username=username, password=password)


@pytest.mark.servers
def test_mosquitto_and_our_rule_agree(tmp_path: Path) -> None:
    """Every (principal, topic): Mosquitto with our files refuses exactly what `may_publish` refuses."""

    async def test(server: Mosquitto) -> None:
        for principal in PRINCIPALS:
            publisher = client(server, broker_user(username_of(principal)), password_of(principal))
            await publisher.open()
            answers = await asyncio.gather(*(publisher.publish(topic, b"x") for topic in TOPICS))
            said = {topic: answer is not Delivery.REFUSED for topic, answer in zip(TOPICS, answers, strict=True)}
            assert publisher.connections == 1, "a refusal must not cost the connection"
            assert said == {topic: may_publish(principal, topic, owner=OWNERS.get) for topic in TOPICS}, principal
            await publisher.close()

    with shipped(tmp_path) as server:
        asyncio.run(asyncio.wait_for(test(server), 60))


@pytest.mark.servers
def test_ingest_reads_its_filters_and_writes_commands(tmp_path: Path) -> None:
    """Ingest's user gets what devices and join users send, sends commands, and nothing else."""

    async def test(server: Mosquitto) -> None:
        source = PahoSource(server.host, server.port, client_id="ingest", username=INGEST_USER, password="ingest-pw", linger_s=0.0)
        await source.open()
        for principal, topic in [("device:a4:cf:12", "canhman/default/a4:cf:12/command/ack"), ("org:default", "canhman/default/new/frame/7")]:
            publisher = client(server, broker_user(username_of(principal)), password_of(principal))
            await publisher.open()
            assert await publisher.publish(topic, b"x") is Delivery.ACKNOWLEDGED
            assert [m.topic for m in await source.batch()] == [topic]
            await publisher.close()
        commander = client(server, INGEST_USER, "ingest-pw")
        await commander.open()
        assert await commander.publish("canhman/default/kl01/command", b"{}") is not Delivery.REFUSED
        assert await commander.publish("canhman/default/kl01/telemetry", b"{}") is Delivery.REFUSED
        await commander.close()
        await source.close()

    with shipped(tmp_path) as server:
        asyncio.run(asyncio.wait_for(test(server), 60))


@pytest.mark.servers
def test_a_sync_counts_from_the_reload(tmp_path: Path) -> None:
    """After SIGHUP a new device may log in, and a device's new credential is denied to the join key, without a restart."""

    async def test(server: Mosquitto) -> None:
        join = client(server, "org/default", password_of("org:default"))
        await join.open()
        assert await join.publish("canhman/default/open1/telemetry", b"x") is not Delivery.REFUSED
        later = RegistrySnapshot(version=2, orgs=SNAPSHOT.orgs, devices=(device("open1", "default"),), stations=(), deployments=(), waterways=())
        server.write_users(password_file(later, secret=SECRET, closed=False, ingest_password="ingest-pw"), acl_file(later, closed=False))
        server.reload()
        assert await join.publish("canhman/default/open1/telemetry", b"x") is Delivery.REFUSED
        own = client(server, "open1", "pw-open1")
        await own.open()
        assert await own.publish("canhman/default/open1/telemetry", b"x") is not Delivery.REFUSED
        await own.close()
        await join.close()
        with pytest.raises(RefusedError):
            await client(server, "kl01", "pw-kl01").open()

    with shipped(tmp_path) as server:
        asyncio.run(asyncio.wait_for(test(server), 60))


@pytest.mark.servers
def test_a_colon_cannot_stand_in_a_user_name_of_mosquittos(tmp_path: Path) -> None:
    """Why names are spelt with `/` there: Mosquitto reads up to the first `:`, and mosquitto_passwd refuses one."""
    users = f"org:default:{hash_password('pw', salt=SALT)}\nplain:{hash_password('pw', salt=SALT)}\n"

    async def test(server: Mosquitto) -> None:
        for name in ("org:default", "org"):
            with pytest.raises(RefusedError):
                await client(server, name, "pw").open()
        plain = client(server, "plain", "pw")
        await plain.open()
        await plain.close()

    with Mosquitto(tmp_path, users=users) as server:
        asyncio.run(asyncio.wait_for(test(server), 60))


@pytest.mark.servers
def test_the_format_is_mosquittos_own(tmp_path: Path) -> None:
    """We read what mosquitto_passwd writes."""
    binary()  # skips, or fails, where Mosquitto is missing; this program comes with it
    program = shutil.which("mosquitto_passwd")
    assert program is not None
    subprocess.run([program, "-b", "-c", str(tmp_path / "made"), "kl01", "mật khẩu"], check=True, capture_output=True)
    name, hashed = (tmp_path / "made").read_text().strip().split(":", 1)
    assert name == "kl01"
    assert verify_password(hashed, "mật khẩu")
    assert not verify_password(hashed, "mat khau")


def test_the_configuration_bounds_the_queue_and_keeps_it() -> None:
    """The settings that keep readings, and TLS only where certificates are given."""
    lines = configuration(password_path="/p", acl_path="/a", data_path="/d").splitlines()
    for line in ("listener 1883", "allow_anonymous false", "persistence true", "autosave_interval 1", "persistence_location /d/"):
        assert line in lines
    assert any(line.startswith("max_queued_bytes ") for line in lines)
    assert "max_queued_messages 0" not in lines  # a refused publish would cost the connection
    assert not any(line.startswith(("certfile", "persistent_client_expiration")) for line in lines)
    tls = configuration(password_path="/p", acl_path="/a", data_path="/d", port=8883, tls=BrokerTls(certfile="/c", keyfile="/k")).splitlines()
    assert tls.index("listener 8883") < tls.index("certfile /c") < tls.index("keyfile /k")
