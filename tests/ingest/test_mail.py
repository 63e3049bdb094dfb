"""Opening the mail: what cannot be read is a dead letter at its own position, and nothing beside it is lost."""

from __future__ import annotations

from core.deadletter import HEAD_BYTES
from core.message import Message
from core.state import DeviceStatus
from ingest.mail import Mail, Reader
from ingest.senders import MOST_SENDERS

NOON = 1_772_420_400_000
GOOD = b'{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":2.31}}'


def message(topic: str, payload: bytes = GOOD, **more: object) -> Message:
    return Message(topic, payload, NOON, **more)  # type: ignore[arg-type] # flags of the connection


def opened(*messages: Message) -> Mail:
    return Reader("j").open([(n * 100, m) for n, m in enumerate(messages)])


def test_the_good_ones_are_opened_beside_the_bad() -> None:
    """Each refusal stands at its message's position, with topic, device and the first bytes."""
    mail = opened(
        message("canhman/default/kl01/telemetry"), message("canhman/default/kl01/telemetry", b"{"), message("x/y"), message("canhman/default/bc01/telemetry")
    )
    assert [(position, sender.device) for _, position, _, sender, _ in mail.opened] == [(0, "kl01"), (300, "bc01")]
    assert [(d.position, d.reason, d.org, d.device, d.topic, d.head) for d in mail.dead] == [
        (100, "malformed", "default", "kl01", "canhman/default/kl01/telemetry", b"{"),
        (200, "bad_topic", "", "", "x/y", GOOD),
    ]
    assert {d.journal for d in mail.dead} == {"j"}
    assert {d.received for d in mail.dead} == {NOON}


def test_only_the_head_is_kept() -> None:
    """The first 1 KiB stands in the database, the rest in the journal."""
    assert len(opened(message("canhman/default/kl01/telemetry", b"x" * 100_000)).dead[0].head) == HEAD_BYTES


def test_what_the_listener_refused() -> None:
    """`forbidden`, with the sender's name, inside the contract; outside it `bad_topic`."""
    mail = opened(message("canhman/default/kl02/telemetry", source="device:kl01", refused=True), message("home/lamp", source="device:kl01", refused=True))
    assert [(d.reason, d.device) for d in mail.dead] == [("forbidden", "kl02"), ("bad_topic", "")]
    assert "device:kl01" in mail.dead[0].text
    assert not mail.opened


def test_no_decoder_yet() -> None:
    """Kinds of the contract without a decoder here are kept, with a reason."""
    topics = ["canhman/default/kl01/frame/2", "application/7/device/kl01/event/up", "v3/a@t/devices/kl01/up", "canhman/default/kl01/command/ack"]
    mail = opened(*(message(t) for t in topics))
    assert [d.reason for d in mail.dead] == ["no_decoder"] * 4


def test_statuses() -> None:
    """online and offline are told, a retained one is old, anything else is refused."""
    words = [b"online", b" Offline\n", b"", b"\xff\xfe", b"x" * 10_000]
    mail = opened(*(message("canhman/default/kl01/status", w) for w in words), message("canhman/default/kl01/status", b"online", retain=True))
    assert mail.statuses == [("default", DeviceStatus(device="kl01", status=s, at=NOON)) for s in ("online", "offline")]
    assert [d.reason for d in mail.dead] == ["malformed"] * 3
    assert not mail.opened


def test_a_sender_that_invents_topics_fills_no_memory() -> None:
    """The memory of routes is bounded."""
    reader = Reader("j")
    batch = [(n, message(f"canhman/default/d{n}/status", b"online")) for n in range(MOST_SENDERS + 10)]
    assert len(reader.open(batch).statuses) == len(batch)
    assert len(reader.senders.by_topic) <= MOST_SENDERS
