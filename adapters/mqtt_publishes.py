"""The PUBLISH packets nearly all traffic consists of, straight from a server's bytes to messages.

Only what needs no second look is taken: QoS 0 or 1, whole, a topic that was seen before, no properties. Everything else, and
everything wrong, is left where it stands for the general codec, which so remains the only judge of what is allowed.
"""

from __future__ import annotations

from core.message import Message

Known = dict[bytes, tuple[str, bool, int]]  # topic as sent → text, whether the sender may not publish there, marks of its packet identifiers


def take_publishes(
    data: bytes,
    at: int,
    *,
    properties: bool,
    largest: int,
    room: int,
    known: Known,
    received: int,
    source: str,
    token: int,
    messages: list[Message],
    in_flight: dict[int, int],
) -> tuple[int, int]:
    """Take plain PUBLISH packets from `at` on; returns where the first thing stands that is not one or not whole, and the last token.

    `properties`: MQTT 5, with an empty list of them in each packet. `largest` bytes a packet may have, `room` messages may
    still be in flight. Messages of QoS 1 get the tokens after `token`, and `in_flight` their packet identifiers, marked.
    """
    make, add, find = tuple.__new__, messages.append, known.get
    size, extra = len(data), 1 if properties else 0
    last = size - 2
    while at <= last:
        first = data[at]
        if first & 0xF4 != 0x30:  # another packet, or QoS 2 or 3
            break
        length = data[at + 1]
        start = at + 2
        if length > 127:
            if start >= size or data[start] > 127 or not data[start]:  # three bytes and more, or longer than need be
                break
            length += (data[start] << 7) - 128
            start += 1
        end = start + length
        if end > size or end - at > largest or length < 2:
            break
        topic_end = start + 2 + (data[start] << 8 | data[start + 1])
        if first & 2:
            payload_at = topic_end + 2 + extra
            if payload_at > end:
                break
            packet_id = data[topic_end] << 8 | data[topic_end + 1]
            if not packet_id or not room or (extra and data[topic_end + 2]):
                break
            topic = find(data[start + 2 : topic_end])
            if topic is None:
                break
            room -= 1
            token += 1
            in_flight[token] = packet_id | topic[2]
            add(make(Message, (topic[0], data[payload_at:end], received, source, 1, False, first & 8 != 0, topic[1], token)))
        else:
            payload_at = topic_end + extra
            if payload_at > end or first & 8 or (extra and data[topic_end]):
                break
            topic = find(data[start + 2 : topic_end])
            if topic is None:
                break
            add(make(Message, (topic[0], data[payload_at:end], received, source, 0, False, False, topic[1], 0)))
        at = end
    return at, token
