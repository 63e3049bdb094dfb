"""A word to ourselves through the broker: the one proof that what is published reaches us.

A connection that stands, and subscriptions that are granted, are no proof: Mosquitto grants a subscription whatever its ACL
file says, and then hands nothing over. So each half minute a few bytes go, at QoS 0, to a topic of each filter to which ingest
alone may publish. At QoS 0 nothing waits anywhere: neither at the broker while we are away, nor behind a long queue. (Some
brokers hand over at QoS 1 all that they were asked for at QoS 1: such a word is acknowledged like a message.)

Who may not publish there (an older installation, a broker with rules of its own) learns nothing from silence. So a filter is
deaf only where a word of ours came by it before: in this process, or at this broker as the installation remembers it. Some
brokers hang up on whoever publishes where he may not: to them nothing more is said, also where they took it once.
"""

from __future__ import annotations

import secrets

import structlog

from adapters.mqtt_filters import shared_form
from adapters.mqtt_flow import Flow
from adapters.mqtt_held import Held, Wire
from registry.permissions import echo_topic

log = structlog.get_logger(__name__)

EVERY_S = 30.0
MISSED = 3  # so many in a row: at QoS 0 one may be dropped
HANGS_UP_S = 5.0  # a broker that ends the connection so soon after a word may do so because of it
STRIKES = 2


class Echo:
    """What was said by which filter, and what came back."""

    def __init__(self, client_id: str, held: Held, wire: Wire) -> None:
        self.known: set[str] = set()  # the filters by which a word came back, here or earlier
        self.took_s: float | None = None  # the last word that came back
        self._client_id = client_id
        self._held = held
        self._wire = wire
        self._nonce = secrets.token_hex(4)  # nobody else's word is taken for ours
        self._number = 0
        self._said_at = float("-inf")
        self._filters: dict[str, str] = {}  # by topic, of the last word
        self._out: set[str] = set()  # filters by which the last word has not come back yet
        self._missed: dict[str, int] = {}  # by filter: how many in a row did not, over this connection
        self._strikes = 0
        self._shares: set[str] = set()  # topics subscribed to over this connection
        self._flow = Flow(wire, f"{self._nonce}=".encode())

    def speak(self, now: float, settled: int | None = None) -> None:
        """Say a word by each filter, where it is time at `now` [s]; so many messages are acknowledged. Raises UnavailableError."""
        if now - self._said_at < EVERY_S or self._strikes >= STRIKES:
            return
        back = [topic for topic, f in self._filters.items() if f in self.known and f not in self._out] if self._said_at > float("-inf") else []
        self._flow.turn(settled, back[0] if back and not self._held.trouble else None)
        if HANGS_UP_S <= now - self._said_at < float("inf"):  # the last word's connection stands: it did not end because of it
            self._strikes = 0
        self._said_at = now
        self._number += 1
        self._filters = {echo_topic(f, self._client_id): f for f in self._held.filters}
        for topic, topic_filter in self._filters.items():
            # what is shared goes to any worker: to hear ourselves we hold the topic itself, under the same rules of the broker
            if shared_form(topic_filter, self._held.share) != topic_filter and topic not in self._shares:
                self._shares.add(topic)
                self._wire.subscribe(topic, 1, True)
            if topic_filter in self._out:
                self._missed[topic_filter] = self._missed.get(topic_filter, 0) + 1
            self._out.add(topic_filter)
            self._wire.publish(topic, self._payload, 0)
        self._wire.flush()

    def heard(self, topic: str, payload: bytes, now: float) -> None:
        """A word came at `now` [s]; another's, or an older one, tells nothing."""
        if self._flow.heard(payload):
            return
        found = self._filters.get(topic)
        if found is not None and payload == self._payload:
            self.known.add(found)
            self._out.discard(found)
            self._missed[found] = 0
            self.took_s = now - self._said_at

    def connected(self) -> None:
        """Another connection: what was said over the last one may be lost with it. The next word is due at once."""
        self._out.clear()
        self._missed.clear()
        self._shares.clear()
        self._flow.connected()
        self._said_at = float("-inf")

    def lost(self, now: float) -> None:
        """The connection went at `now` [s]: soon after a word, and before all of it came back, that may be why."""
        if not (self._out or self._flow.said) or now - self._said_at >= HANGS_UP_S:
            return
        self._said_at = float("-inf")
        self._strikes += 1
        if self._strikes == STRIKES:
            log.warning(
                "the broker hangs up when ingest publishes a word to itself, so it does not any more; allow its user to publish there, and restart it",
                client=self._client_id,
                topics=sorted(self._filters),
            )

    @property
    def trouble(self) -> str:
        """By which filters our words came back once and do not any more, in words."""
        if self._strikes >= STRIKES and self.known:
            return (
                f"the broker hangs up when ingest publishes a word to itself, to one of {', '.join(sorted(self._filters))}, so it does not any more and cannot "
                "tell whether it hears. Were its access rules changed? Allow ingest's user to publish there, and restart ingest"
            )
        deaf = [f for f in self._held.filters if self._missed.get(f, 0) >= MISSED and f in self.known]
        if not deaf:
            return self._flow.trouble
        return (
            f"what ingest publishes itself, to {echo_topic(deaf[0], self._client_id)}, does not come back to it any more by {', '.join(deaf)}: the broker "
            "does not hand over what devices send there. Were its access rules changed? canhman broker sync writes ours; then reload the broker"
        )

    @property
    def _payload(self) -> bytes:
        return f"{self._nonce}-{self._number}".encode()
