"""CONNECT at the listener: what is refused whoever sends it, and what a client of MQTT 5 is told it may do here."""

from __future__ import annotations

from adapters.mqtt_packets import NO_PROPERTIES, V311, Connect, ConnectReturn, Properties, Reason

MOST_CLIENT_ID_BYTES = 256  # the standard asks for 23; each is kept as long as its session

Refusal = tuple[int, int]  # return code of 3.1.1, reason code of 5

WRONG_CREDENTIALS: Refusal = (ConnectReturn.BAD_USER_NAME_OR_PASSWORD, Reason.BAD_USER_NAME_OR_PASSWORD)
TOO_OFTEN: Refusal = (ConnectReturn.SERVER_UNAVAILABLE, Reason.CONNECTION_RATE_EXCEEDED)


def refusal(packet: Connect) -> tuple[Refusal, str]:
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


def offer(packet: Connect, *, client_id: str, receive_maximum: int, max_packet: int) -> Properties:
    """The limits in a CONNACK of MQTT 5; 3.1.1 has no words for them.

    RETAIN is not among them: it is taken as any publish, and nothing retained could reach a client, for none may subscribe
    to what another one publishes.
    """
    if packet.version == V311:
        return NO_PROPERTIES
    return Properties(
        receive_maximum=receive_maximum,
        maximum_qos=1,
        maximum_packet_size=max_packet,
        assigned_client_identifier=None if packet.client_id else client_id,
        topic_alias_maximum=0,
        wildcard_subscription_available=0,
        subscription_identifier_available=0,
        shared_subscription_available=0,
    )
