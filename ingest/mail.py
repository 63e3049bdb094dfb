"""Opening the mail: journalled messages to objects, with a reason for everything that cannot go on.

Pure: what a batch needs from the registry (a device that registers itself, a new channel) is reported, not done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import ingest.decoders
from core.deadletter import HEAD_BYTES, DeadLetter
from core.errors import DecodeError
from core.message import Message
from core.plugins import collect
from core.state import DeviceStatus
from ingest.decoder import Decoder, Plain, Record, Refusal
from ingest.senders import Sender, Senders

DECODERS: dict[str, Decoder] = collect(ingest.decoders, "DECODER", Decoder)
_BY_KIND: Mapping[str, Decoder] = {d.kind: d for d in DECODERS.values() if not d.model}

# What makes the place of an object in the order of arrival: its message, which object of that (from 1; 0: it holds but one), which channel.
MESSAGE = 1 << 40
OBJECT = 1 << 20
_MOST = OBJECT - 1

Opened = tuple[int, int, Message, Sender, Plain | Record]
"""One object of a message that was read: its place in the order of arrival, the message's position, the message, its sender, the object."""


@dataclass(slots=True)
class Mail:
    """One batch of messages, opened. `strange`: of some sender or channel nobody has looked at yet."""

    opened: list[Opened] = field(default_factory=list)
    statuses: list[tuple[str, DeviceStatus]] = field(default_factory=list)  # with the org of the topic
    dead: list[DeadLetter] = field(default_factory=list)
    strange: bool = False


class Reader:
    """Opens messages; remembers the senders of topics it has seen. `journal` is the name for dead letters.

    `careful` reads every message the careful way; the rows are the same, and take three times as long.
    """

    def __init__(self, journal: str, *, careful: bool = False) -> None:
        self._journal = journal
        self._careful = careful
        self.senders = Senders(lambda: _BY_KIND, plainly=not careful)

    def open(self, records: Sequence[tuple[int, Message]], *, at: int = 0) -> Mail:
        """Open a batch, whose first message has the place `at`. Never raises: what cannot be read is a dead letter."""
        mail = Mail()
        for place, (position, message) in enumerate(records):
            try:
                self._one(mail, at + MESSAGE * place, position, message)
            except DecodeError as error:
                mail.dead.append(self.letter(position, message, Refusal(error.reason, error.key, str(error))))
        return mail

    def _one(self, mail: Mail, at: int, position: int, message: Message) -> None:
        sender = self.senders.get(message.topic)
        if message.refused:
            raise DecodeError("forbidden", f"{message.source or 'the sender'} may not publish to {message.topic[:120]}")
        if sender.kind == "status":
            if not message.retain:  # a retained word is an old one
                mail.statuses.append((sender.org, _status(sender.device, message)))
            return
        if sender.decoder is None:
            raise DecodeError("no_decoder", f"no decoder for {sender.kind} messages in this version; the bytes are kept")
        objects = self._objects(sender.decoder, message.payload)
        if not objects:
            raise DecodeError("malformed", "an empty message: there is no reading in it")
        for number, item in enumerate(objects, 1):
            mail.opened.append((at + OBJECT * min(number, _MOST) if len(objects) > 1 else at, position, message, sender, item))
            mail.strange = mail.strange or is_strange(sender, item)

    def _objects(self, decoder: Decoder, payload: bytes) -> Sequence[Plain | Record]:
        """What a message holds. Raises DecodeError."""
        if decoder.plain is None or decoder.record is None or self._careful:
            return decoder.decode(payload)
        try:
            found = decoder.plain(payload)
        except (ValueError, RecursionError):
            return decoder.decode(payload)
        objects = [found] if isinstance(found, Plain) else found
        return [decoder.record(item) if item.channels else item for item in objects]

    def letter(self, position: int, message: Message, refusal: Refusal, *, offset_ms: int | None = None) -> DeadLetter:
        """The dead letter of one refusal of one message."""
        found = self.senders.by_topic.get(message.topic)
        return DeadLetter(
            reason=refusal.reason,
            text=refusal.text,
            journal=self._journal,
            position=position,
            topic=message.topic,
            org=found.org if found else "",
            device=found.device if found else "",
            key=refusal.key,
            received=message.received,
            head=message.payload[:HEAD_BYTES],
            offset_ms=offset_ms,
        )


def is_strange(sender: Sender, item: Plain | Record) -> bool:
    """Whether the device under that org, or a channel of its object, has not been looked at yet."""
    if type(item) is Record:
        return not sender.registered or any(channel not in sender.met for channel, _ in item.channels)
    return not sender.admitted


def record(sender: Sender, item: Plain | Record) -> Record:
    """The careful form of an object."""
    if type(item) is Record:
        return item
    if sender.decoder is None or sender.decoder.record is None or type(item) is not Plain:
        raise TypeError(f"{type(item).__name__} has no careful form")
    return sender.decoder.record(item)


def _status(device: str, message: Message) -> DeviceStatus:
    word = message.payload[:16].decode("ascii", "replace").strip().lower()
    if word not in ("online", "offline"):
        raise DecodeError("malformed", f"status is {word!r}, not online or offline")
    return DeviceStatus(device=device, status=word, at=message.received)
