"""The embedded listener: who may in, what may be published and subscribed, and when a PUBACK goes out."""

from __future__ import annotations

from typing import Any

import pytest
from servers.listener_bench import NOW, TOPIC, Bench, bench, qos1, run

from adapters.listener_sessions import FOREVER, Sessions
from adapters.mqtt_codec import (
    V5,
    V311,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Properties,
    Puback,
    Publish,
    Reason,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)

pytestmark = pytest.mark.sockets

VERSIONS = pytest.mark.parametrize("version", [V311, V5])


# ---------------------------------------------------------------- login


def test_what_a_client_of_mqtt_5_is_told() -> None:
    """CONNACK names every limit."""

    async def scene() -> None:
        async with bench(max_packet=5000, receive_maximum=7) as b:
            peer = await b.dial()
            await peer.send(Connect(username="kl01", password=b"pw", properties=Properties(session_expiry_interval=3600), clean_start=False))
            answer = await peer.receive()
            assert isinstance(answer, Connack)
            assert not answer.session_present
            assigned = answer.properties.assigned_client_identifier
            assert assigned
            assert answer.properties == Properties(
                receive_maximum=7,
                maximum_qos=1,
                maximum_packet_size=5000,
                assigned_client_identifier=assigned,
                topic_alias_maximum=0,
                wildcard_subscription_available=0,
                subscription_identifier_available=0,
                shared_subscription_available=0,
            )

    run(scene())


def test_mqtt_311_login_and_ping() -> None:
    """CONNACK 0 without a session, also where one was asked for; PINGREQ is answered."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.dial(V311)
            await peer.send(Connect(version=V311, client_id="c", clean_start=False, username="kl01", password=b"pw"), Pingreq())
            assert await peer.receive() == Connack()
            assert await peer.receive() == Pingresp()
            assert b.listener.connected == 1

    run(scene())


@pytest.mark.parametrize(
    ("version", "fields", "code"),
    [
        (V311, {"username": "kl01", "password": b"wrong"}, 4),
        (V5, {"username": "kl01", "password": b"wrong"}, Reason.BAD_USER_NAME_OR_PASSWORD),
        (V311, {"username": "kl01"}, 4),
        (V5, {"username": "kl01"}, Reason.BAD_USER_NAME_OR_PASSWORD),
        (V311, {}, 5),
        (V5, {}, Reason.NOT_AUTHORIZED),
        (V5, {"password": b"pw"}, Reason.NOT_AUTHORIZED),
        (V311, {"username": "kl01", "password": b"pw", "client_id": "", "clean_start": False}, 2),
        (V5, {"username": "kl01", "password": b"pw", "will": Will(topic=TOPIC, qos=2)}, Reason.QOS_NOT_SUPPORTED),
        (V5, {"username": "kl01", "password": b"pw", "properties": Properties(authentication_method="SCRAM")}, Reason.BAD_AUTHENTICATION_METHOD),
    ],
)
def test_refused_logins(version: int, fields: dict[str, Any], code: int) -> None:
    """Wrong or no credentials, and what we do not do, get the version's own code, and the connection is closed."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.dial(version)
            await peer.send(Connect(version=version, **({"client_id": "c"} | fields)))
            assert await peer.receive() == Connack(reason=code)
            assert await peer.receive() is None
            b.delta(refused_logins=1)
            assert b.listener.connected == 0

    run(scene())


@pytest.mark.parametrize("fields", [{"client_id": ""}, {"will": Will(topic=TOPIC, qos=2)}])
def test_what_mqtt_311_may(fields: dict[str, Any]) -> None:
    """No client id with a clean session; a will with QoS 2, which nobody could refuse with a reason."""

    async def scene() -> None:
        async with bench() as b:
            assert await (await b.login(V311, **fields)).quiet()

    run(scene())


def test_a_client_gets_no_packet_it_cannot_take() -> None:
    """What exceeds the client's maximum packet size is left out, as if it had been sent; one that could not even take CONNACK is told so."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.login(properties=Properties(maximum_packet_size=60))
            filters = tuple(Subscription(topic_filter=f"a/{n}") for n in range(60))
            await peer.send(Subscribe(packet_id=1, subscriptions=filters), Pingreq())
            assert await peer.receive() == Pingresp()
            small = await b.dial()
            await small.send(Connect(client_id="c", username="kl01", password=b"pw", properties=Properties(maximum_packet_size=20)), Pingreq())
            assert await small.receive() == Connack(reason=Reason.PACKET_TOO_LARGE)
            assert await small.receive() is None

    run(scene())


@pytest.mark.parametrize("body", ["0006 4d5149736470 03 02 0000 0001 61", "0004 4d515454 06 02 0000 0001 61"])
def test_other_versions_get_connack_1(body: str) -> None:
    """MQTT 3.1 and levels we do not know are told so."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.dial(V311)
            raw = bytes.fromhex(body)
            await peer.send_bytes(b"\x10" + bytes((len(raw),)) + raw)
            assert await peer.receive() == Connack(reason=1)
            assert await peer.receive() is None
            b.delta(protocol_errors=1)

    run(scene())


KEPT: dict[int, dict[str, Any]] = {V311: {}, V5: {"properties": Properties(session_expiry_interval=60)}}


async def session_present(b: Bench, version: int, **fields: Any) -> bool:
    """Log in, with a subscription where there is no session yet, and lose the connection; whether a session was there."""
    peer = await b.dial(version)
    await peer.send(Connect(version=version, **({"client_id": "c", "username": "kl01", "password": b"pw"} | fields)))
    answer = await peer.receive()
    assert isinstance(answer, Connack)
    if not answer.session_present:
        await peer.send(Subscribe(packet_id=1, subscriptions=(Subscription(topic_filter="canhman/kg/kl01/command"),)))
        assert await peer.receive() == Suback(packet_id=1, reasons=(0,))
    (connection,) = b.listener._shared.live.values()
    assert connection._session.subscriptions == {"canhman/kg/kl01/command"}
    await peer.lose()
    await connection.gone
    return answer.session_present


@VERSIONS
def test_a_kept_session_is_found_again(version: int) -> None:
    """Who asks to keep its session finds it, with its subscriptions, and so may keep what is in flight; a clean start ends it."""

    async def scene() -> None:
        async with bench() as b:
            kept = {"clean_start": False, **KEPT[version]}
            found = [await session_present(b, version, **fields) for fields in (kept, kept, {"clean_start": True}, kept, {**kept, "client_id": "d"})]
            assert found == [False, True, False, False, False]

    run(scene())


def test_a_session_ends_when_it_was_said_to() -> None:
    """Without an expiry interval (MQTT 5) it ends with its connection; DISCONNECT may end it, too, but not prolong it."""

    async def scene() -> None:
        async with bench() as b:
            assert not await session_present(b, V5, clean_start=False)
            assert not await session_present(b, V5, clean_start=False, **KEPT[V5])
            for interval, answer in ((0, None), (5, Disconnect(reason=Reason.PROTOCOL_ERROR))):
                peer = await b.login(client_id="c", clean_start=False, properties=Properties(session_expiry_interval=None if interval else 60))
                await peer.send(Disconnect(properties=Properties(session_expiry_interval=interval)))
                assert await peer.receive() == answer
            assert not await session_present(b, V5, clean_start=False)

    run(scene())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("canhman/kg/kl01/#", Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED),
        ("+/kg/kl01/command", Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED),
        ("$share/g/canhman/kg/kl01/command", Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED),
    ],
)
def test_subscriptions_connack_said_there_are_none_of(name: str, reason: int) -> None:
    """MQTT 5 was told before: such a SUBSCRIBE is a protocol error, with its own reason."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.login()
            await peer.send(Subscribe(packet_id=5, subscriptions=(Subscription(topic_filter="canhman/kg/kl01/command"), Subscription(topic_filter=name))))
            assert await peer.receive() == Disconnect(reason=reason)
            assert await peer.receive() is None
            b.delta(protocol_errors=1)

    run(scene())


def test_the_book_of_sessions_forgets() -> None:
    """A session is gone when its time is over, or when too many others are away."""
    book = Sessions(limit=2)
    for n, expiry_s in enumerate([10.0, FOREVER, 10.0]):
        session, present = book.begin(("device:kl01", str(n)), clean=False, expiry_s=expiry_s, now=0.0)
        assert not present
        book.leave(("device:kl01", str(n)), session, now=0.0)
    assert [book.begin(("device:kl01", str(n)), clean=False, expiry_s=0, now=10.0)[1] for n in range(3)] == [False, True, False]


# ---------------------------------------------------------------- PUBLISH and PUBACK


@VERSIONS
def test_puback_waits_for_acknowledge(version: int) -> None:
    """No PUBACK before `acknowledge`; then in order of arrival, for the acknowledged only, once."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.login(version)
            await peer.send(qos1(7), qos1(3, payload=b"x"), Publish(TOPIC, b"zero"), qos1(9))
            got = await b.messages(4)
            assert [(m.topic, m.payload, m.qos, m.source, m.received) for m in got] == [
                (TOPIC, payload, qos, "device:kl01", NOW) for payload, qos in [(b"{}", 1), (b"x", 1), (b"zero", 0), (b"{}", 1)]
            ]
            assert await peer.quiet()
            b.listener.acknowledge(got[:3])
            b.listener.acknowledge(got[:3])
            assert [await peer.receive(), await peer.receive()] == [Puback(packet_id=7), Puback(packet_id=3)]
            assert await peer.quiet()
            b.listener.acknowledge(got[3:])
            assert await peer.receive() == Puback(packet_id=9)

    run(scene())


@VERSIONS
def test_a_refused_publish_is_handed_out_and_answered_after_acknowledge(version: int) -> None:
    """It comes with `refused`, for its dead letter; MQTT 5 learns 0x87, 3.1.1 gets a plain PUBACK; the order stays."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.login(version)
            await peer.send(qos1(1), qos1(2, "canhman/kg/other/telemetry"), Publish("canhman/kg/other/status", b"zero"), qos1(3))
            got = await b.messages(4)
            assert [m.refused for m in got] == [False, True, True, False]
            assert await peer.quiet()
            b.listener.acknowledge(got)
            refused = Puback(packet_id=2, reason=Reason.NOT_AUTHORIZED if version == V5 else 0)
            assert [await peer.receive() for _ in range(3)] == [Puback(packet_id=1), refused, Puback(packet_id=3)]
            b.delta(refused_publishes=2)

    run(scene())


def test_dup_and_retain() -> None:
    """DUP is passed on; a publish with RETAIN is a live one."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.login()
            await peer.send(Publish(TOPIC, b"a", 1, 1, retain=True, dup=True))
            (message,) = await b.messages(1)
            assert message.dup
            assert not message.retain

    run(scene())


@VERSIONS
def test_a_new_connection_never_gets_an_old_ones_puback(version: int) -> None:
    """Acknowledging what came over a lost connection is silent, even where the packet identifier is in use again."""

    async def scene() -> None:
        async with bench() as b:
            old = await b.login(version)
            await old.send(qos1(1, payload=b"old"))
            first = await b.messages(1)
            new = await b.login(version)
            await new.send(qos1(1, payload=b"new"))
            second = await b.messages(1)
            b.listener.acknowledge(first)
            assert await new.quiet()
            b.listener.acknowledge(second)
            assert await new.receive() == Puback(packet_id=1)

    run(scene())


def test_many_connections_share_one_queue_in_order_of_arrival() -> None:
    """Each gets its own PUBACKs; batches hold at most `max_batch`."""

    async def scene() -> None:
        async with bench(max_batch=3) as b:
            peers = [await b.login(device=f"d{i}") for i in range(3)]
            for round_ in range(3):
                for i, peer in enumerate(peers):
                    await peer.send(qos1(round_ + 1, f"canhman/kg/d{i}/telemetry", b"%d %d" % (round_, i)))
                    assert await peer.quiet()
            batches = [await b.listener.batch() for _ in range(3)]
            assert [[m.payload for m in batch] for batch in batches] == [[b"%d %d" % (r, i) for i in range(3)] for r in range(3)]
            for batch in batches:
                b.listener.acknowledge(batch)
            for peer in peers:
                assert [await peer.receive() for _ in range(3)] == [Puback(packet_id=n) for n in (1, 2, 3)]

    run(scene())


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (Publish(TOPIC, b"", 2, 1), Reason.QOS_NOT_SUPPORTED),
        (Publish("", b"", 0, properties=Properties(topic_alias=1)), Reason.TOPIC_ALIAS_INVALID),
        (Publish(TOPIC, b"", 0, properties=Properties(subscription_identifier=(1,))), Reason.PROTOCOL_ERROR),
        (
            Subscribe(packet_id=1, subscriptions=(Subscription(topic_filter="a"),), properties=Properties(subscription_identifier=(1,))),
            Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
        ),
        (Pingresp(), Reason.PROTOCOL_ERROR),
        (Connack(), Reason.PROTOCOL_ERROR),
        (Puback(packet_id=1), Reason.PROTOCOL_ERROR),
    ],
)
def test_what_was_not_offered_ends_the_connection(packet: Packet, reason: int) -> None:
    """MQTT 5 gets DISCONNECT with the reason; what came before it in the same bytes is delivered, and then the will."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.login(will=Will(topic="canhman/kg/kl01/status", payload=b"offline"))
            await peer.send(qos1(1, payload=b"before"), packet, qos1(2, payload=b"after"))
            assert await peer.receive() == Disconnect(reason=reason)
            assert await peer.receive() is None
            assert [m.payload for m in await b.messages(2)] == [b"before", b"offline"]
            b.delta(protocol_errors=1, will=1)

    run(scene())


def test_qos_2_of_mqtt_311_closes_the_connection() -> None:
    """3.1.1 has no words for it: the connection just ends."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.login(V311)
            await peer.send(Publish(TOPIC, b"", 2, 1))
            assert await peer.receive() is None
            b.delta(protocol_errors=1)

    run(scene())


def test_receive_maximum_is_enforced() -> None:
    """More in flight than offered ends an MQTT 5 connection; an acknowledgement makes room."""

    async def scene() -> None:
        async with bench(receive_maximum=2) as b:
            peer = await b.login()
            await peer.send(qos1(1), qos1(2))
            b.listener.acknowledge((await b.messages(2))[:1])
            assert await peer.receive() == Puback(packet_id=1)
            await peer.send(qos1(1))
            assert await peer.quiet()
            await peer.send(qos1(3))
            assert await peer.receive() == Disconnect(reason=Reason.RECEIVE_MAXIMUM_EXCEEDED)

    run(scene())


# ---------------------------------------------------------------- SUBSCRIBE


@VERSIONS
def test_only_the_own_command_topic_can_be_subscribed(version: int) -> None:
    """Anything else is refused filter by filter; QoS 2 is granted as 1."""
    filters = ["canhman/kg/kl01/command", "canhman/kg/other/command", "$SYS/broker", "a"]
    if version == V311:
        filters[-1:] = ["canhman/kg/kl01/#", "+/kg/kl01/command", "$share/g/canhman/kg/kl01/command"]

    async def scene() -> None:
        async with bench() as b:
            peer = await b.login(version)
            await peer.send(Subscribe(packet_id=5, subscriptions=tuple(Subscription(topic_filter=f, qos=2) for f in filters)))
            no = Reason.NOT_AUTHORIZED if version == V5 else 0x80
            assert await peer.receive() == Suback(packet_id=5, reasons=(1, *[no] * (len(filters) - 1)))
            await peer.send(Unsubscribe(packet_id=6, topic_filters=("canhman/kg/kl01/command", "canhman/kg/other/command")))
            assert await peer.receive() == Unsuback(packet_id=6, reasons=(0, 0x11) if version == V5 else ())
            b.delta(refused_subscriptions=len(filters) - 1)

    run(scene())
