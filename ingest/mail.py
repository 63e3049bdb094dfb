"""Opening the mail: journalled messages to decoded records, with a reason for everything that cannot go on.

Pure: what a batch needs from the registry (a device that registers itself, a new channel) is reported, not done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import ingest.decoders
from core.deadletter import HEAD_BYTES, DeadLetter
from core.errors import DecodeError
from core.message import Message
from core.plugins import collect
from core.state import DeviceStatus
from ingest.decoder import Decoder, Record, Refusal
from ingest.route import Route, route

DECODERS: dict[str, Decoder] = collect(ingest.decoders, "DECODER", Decoder)
_BY_KIND: Mapping[str, Decoder] = {d.kind: d for d in DECODERS.values() if not d.model}

_MAX_ROUTES = 100_000  # topics remembered; a sender that invents topics must not fill our memory


class Opened(NamedTuple):
    """A message whose payload was read."""

    position: int
    message: Message
    route: Route
    records: list[Record]


@dataclass(slots=True)
class Mail:
    """One batch of messages, opened."""

    opened: list[Opened] = field(default_factory=list)
    statuses: list[tuple[str, DeviceStatus]] = field(default_factory=list)  # with the org of the topic
    dead: list[DeadLetter] = field(default_factory=list)


class Reader:
    """Opens messages; remembers the routes of topics it has seen. `journal` is the name for dead letters."""

    def __init__(self, journal: str) -> None:
        self._journal = journal
        self._routes: dict[str, Route] = {}

    def open(self, records: Sequence[tuple[int, Message]]) -> Mail:
        """Open a batch. Never raises: what cannot be read is a dead letter."""
        mail = Mail()
        for position, message in records:
            try:
                self._one(mail, position, message)
            except DecodeError as error:
                mail.dead.append(self.letter(position, message, Refusal(error.reason, error.key, str(error))))
        return mail

    def _one(self, mail: Mail, position: int, message: Message) -> None:
        found = self._routes.get(message.topic)
        if found is None:
            found = route(message.topic)
            if len(self._routes) >= _MAX_ROUTES:
                self._routes.clear()
            self._routes[message.topic] = found
        if message.refused:
            raise DecodeError("forbidden", f"{message.source or 'the sender'} may not publish to {message.topic[:120]}")
        if found.kind == "status":
            if not message.retain:  # a retained word is an old one
                mail.statuses.append((found.org, _status(found.device, message)))
            return
        decoder = _BY_KIND.get(found.kind)
        if decoder is None:
            raise DecodeError("no_decoder", f"no decoder for {found.kind} messages in this version; the bytes are kept")
        records = decoder.decode(message.payload)
        if not records:
            raise DecodeError("malformed", "an empty message: there is no reading in it")
        mail.opened.append(Opened(position, message, found, records))

    def letter(self, position: int, message: Message, refusal: Refusal, *, offset_ms: int | None = None) -> DeadLetter:
        """The dead letter of one refusal of one message."""
        found = self._routes.get(message.topic)
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


def _status(device: str, message: Message) -> DeviceStatus:
    word = message.payload[:16].decode("ascii", "replace").strip().lower()
    if word not in ("online", "offline"):
        raise DecodeError("malformed", f"status is {word!r}, not online or offline")
    return DeviceStatus(device=device, status=word, at=message.received)
