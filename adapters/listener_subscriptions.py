"""SUBSCRIBE and UNSUBSCRIBE at the listener: a client may hear its own commands, by their whole topic, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from adapters.mqtt_codec import MqttError, Reason, Subscribe, Unsubscribe


def subscribe(packet: Subscribe, subscriptions: set[str], *, may: Callable[[str], bool], v5: bool) -> list[int]:
    """Enter what is allowed; returns the reasons of SUBACK. Raises MqttError for what CONNACK said there is not."""
    if packet.properties.subscription_identifier:
        raise MqttError(Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, "SUBSCRIBE with a subscription identifier: none are taken")
    names = [wanted.topic_filter for wanted in packet.subscriptions]
    if v5 and any(name.startswith("$share/") for name in names):
        raise MqttError(Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, "SUBSCRIBE to a shared subscription: CONNACK said there are none")
    if v5 and any("+" in name or "#" in name for name in names):
        raise MqttError(Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, "SUBSCRIBE with a wildcard: CONNACK said there are none")
    reasons: list[int] = []
    for wanted in packet.subscriptions:
        name = wanted.topic_filter
        if not (set(name) & set("+#") or name.startswith("$")) and may(name):
            subscriptions.add(name)
            reasons.append(min(wanted.qos, 1))
        else:
            reasons.append(Reason.NOT_AUTHORIZED if v5 else Reason.UNSPECIFIED_ERROR)
    return reasons


def unsubscribe(packet: Unsubscribe, subscriptions: set[str]) -> list[int]:
    """Strike these out; returns the reasons of UNSUBACK, which MQTT 5 has."""
    reasons: list[int] = []
    for name in packet.topic_filters:  # one after the other: the second time it is gone
        reasons.append(Reason.SUCCESS if name in subscriptions else Reason.NO_SUBSCRIPTION_EXISTED)
        subscriptions.discard(name)
    return reasons
