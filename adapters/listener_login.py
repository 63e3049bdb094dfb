"""CONNECT at the listener: what is refused whoever sends it, and what a client of MQTT 5 is told it may do here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from adapters.listener_sessions import FOREVER, expiry_seconds
from adapters.listener_shared import Shared
from adapters.mqtt_encode import encode
from adapters.mqtt_packets import V311, Connack, Connect, ConnectReturn, Properties, Reason

MOST_CLIENT_ID_BYTES = 256  # the standard asks for 23; each is kept as long as its session

Codes = tuple[int, int]  # return code of 3.1.1, reason code of 5

WRONG_CREDENTIALS: Codes = (ConnectReturn.BAD_USER_NAME_OR_PASSWORD, Reason.BAD_USER_NAME_OR_PASSWORD)
TOO_OFTEN: Codes = (ConnectReturn.SERVER_UNAVAILABLE, Reason.CONNECTION_RATE_EXCEEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A log-in that fails: what the client is told, what the log says, and how long the answer waits."""

    codes: Codes
    text: str
    wait_s: float = 0.0


def principal_of(packet: Connect, shared: Shared, address: str, now: float) -> str | Refused:
    """Whose log-in this is; who guesses at passwords waits, and is not heard at all in the end."""
    username = packet.username or ""
    codes, text = refusal(packet)
    if text:
        return Refused(codes=codes, text=text)
    if shared.guesses.unheard(address, username, now):
        shared.counters["unheard_logins"] += 1
        return Refused(codes=TOO_OFTEN, text="too many wrong log-ins; the next is looked at within 20 s")
    principal = shared.authority.authenticate(username, packet.password or b"", packet.client_id)
    if not principal:
        return Refused(codes=WRONG_CREDENTIALS, text="wrong user name or password", wait_s=shared.guesses.wrong(address, username, now))
    shared.guesses.right(address, username, now)
    return principal


def refusal(packet: Connect) -> tuple[Codes, str]:
    """Why this CONNECT is refused whoever sends it, as codes and text; an empty text: it is not."""
    if packet.properties.authentication_method is not None:
        return (ConnectReturn.NOT_AUTHORIZED, Reason.BAD_AUTHENTICATION_METHOD), "enhanced authentication"
    if packet.version == V311 and not packet.client_id and not packet.clean_start:
        return (ConnectReturn.IDENTIFIER_REJECTED, Reason.CLIENT_IDENTIFIER_NOT_VALID), "no client id, and no clean session"
    if len(packet.client_id.encode()) > MOST_CLIENT_ID_BYTES:
        text = f"a client id of {len(packet.client_id.encode())} bytes: {MOST_CLIENT_ID_BYTES} are the most"
        return (ConnectReturn.IDENTIFIER_REJECTED, Reason.CLIENT_IDENTIFIER_NOT_VALID), text
    if packet.version != V311 and packet.will and packet.will.qos == 2:
        return (ConnectReturn.NOT_AUTHORIZED, Reason.QOS_NOT_SUPPORTED), "a will with QoS 2"
    if packet.username is None:
        return (ConnectReturn.NOT_AUTHORIZED, Reason.NOT_AUTHORIZED), "no user name"
    return (ConnectReturn.ACCEPTED, Reason.SUCCESS), ""


def wanted_expiry(packet: Connect) -> float:
    """How long the client's session shall outlive its connection [s]; 3.1.1 knows at once and for ever."""
    if packet.version == V311:
        return 0.0 if packet.clean_start else FOREVER
    return expiry_seconds(packet.properties.session_expiry_interval)


def welcome(version: int, *, present: bool, assigned: str, receive_maximum: int, max_packet: int) -> bytes:
    """The CONNACK that lets a client in; `assigned` is the client id it is given, where it brought none."""
    return _welcome(version, present, receive_maximum, max_packet) if not assigned else _made(version, present, assigned, receive_maximum, max_packet)


def _made(version: int, present: bool, assigned: str, receive_maximum: int, max_packet: int) -> bytes:
    """The limits in it are MQTT 5's; 3.1.1 has no words for them.

    RETAIN is not among them: it is taken as any publish, and nothing retained could reach a client, for none may subscribe
    to what another one publishes.
    """
    if version == V311:
        return encode(Connack(session_present=present), V311)
    told = Properties(
        receive_maximum=receive_maximum,
        maximum_qos=1,
        maximum_packet_size=max_packet,
        assigned_client_identifier=assigned or None,
        topic_alias_maximum=0,
        wildcard_subscription_available=0,
        subscription_identifier_available=0,
        shared_subscription_available=0,
    )
    return encode(Connack(session_present=present, properties=told), version)


@lru_cache(maxsize=32)
def _welcome(version: int, present: bool, receive_maximum: int, max_packet: int) -> bytes:
    """Nearly all of them are the same, and come by the thousand when power comes back."""
    return _made(version, present, "", receive_maximum, max_packet)
