"""An MQTT message as it arrived, before anybody read its payload."""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    """Topic, bytes, arrival [ms, installation clock], and what the connection said about it.

    `source` is who published it where we know (our listener): `device:ID` or `org:SLUG`; empty behind a broker.
    `refused` is true where the listener refused the publish (it is journalled all the same, for its dead letter).
    `token` belongs to the message source that made it (acknowledgement) and is never stored.
    """

    topic: str
    payload: bytes
    received: int
    source: str = ""
    qos: int = 1
    retain: bool = False
    dup: bool = False
    refused: bool = False
    token: int = 0
