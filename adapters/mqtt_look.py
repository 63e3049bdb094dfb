"""A look at one retained topic of a broker, over a connection of its own that leaves nothing behind. For `doctor`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from adapters.mqtt_endpoint import tls_context
from core.errors import UnavailableError


def lets_in(
    host: str, port: int, *, client_id: str, username: str, password: str, tls: bool = False, tls_ca: str | None = None, timeout_s: float = 3.0
) -> bool | None:
    """Whether the broker takes this log-in; None where it gives no answer. Blocks.

    A clean session of MQTT 3.1.1, on purpose: Mosquitto 2.0.11 has been seen to throw away *another* client's session at a reload
    after which the password of a session with an expiry (MQTT 5) was no longer right.
    """
    found: list[bool] = []
    client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True, reconnect_on_failure=False)
    client.on_connect = lambda c, userdata, flags, reason, properties: found.append(not reason.is_failure)
    client.username_pw_set(username, password)
    if tls:
        client.tls_set_context(tls_context(tls_ca))
    try:
        _look(client, host, port, found, timeout_s)
    except OSError:
        return None
    return found[0] if found else None


def _look(client: Client, host: str, port: int, found: Sequence[object], timeout_s: float) -> None:
    """Connect, go on until something is in `found` or the time is over, and leave. Raises OSError where there is no connection."""
    client.connect_timeout = timeout_s
    deadline = time.monotonic() + timeout_s
    try:
        client.connect(host, port)
        while not found and time.monotonic() < deadline and client.loop(timeout=0.1) == MQTTErrorCode.MQTT_ERR_SUCCESS:
            pass
    finally:
        _leave(client)


def _leave(client: Client) -> None:
    client.disconnect()
    while client.want_write() and client.loop_write() == MQTTErrorCode.MQTT_ERR_SUCCESS:  # else the broker waits for us, and logs a time-out
        pass
    if (line := client.socket()) is not None:
        line.close()


def read_retained(
    host: str,
    port: int,
    topic: str,
    *,
    client_id: str,
    username: str = "",
    password: str = "",
    tls: bool = False,
    tls_ca: str | None = None,
    timeout_s: float = 3.0,
) -> str | None:
    """The payload retained at `topic` as text; None where there is none, or we may not read it. Raises UnavailableError. Blocks."""
    found: list[str] = []

    def subscribe(client: Client, *_: Any) -> None:
        client.subscribe(topic, 0)

    def take(client: Client, userdata: Any, message: MQTTMessage) -> None:
        found.append(message.payload.decode("utf-8", "replace"))

    client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
    client.on_connect = subscribe
    client.on_message = take
    if username:
        client.username_pw_set(username, password)
    if tls:
        client.tls_set_context(tls_context(tls_ca))
    try:
        _look(client, host, port, found, timeout_s)
    except OSError as error:
        raise UnavailableError(f"{host}:{port}: {error}") from error
    return found[0] if found else None
