"""Whether what must be acknowledged still comes: a word to ourselves at QoS 1, where nothing else at QoS 1 tells it.

A broker sends so much, and waits for our acknowledgements; one that has missed some of them may wait for ever, while all that
needs none goes on. Where messages flow they are the proof, and nothing is said; where one waits for us the reason is here. Else
there is one word on its way at a time: it waits in no long queue, for what stands before it there would flow.
"""

from __future__ import annotations

import structlog

from adapters.mqtt_held import Wire

log = structlog.get_logger(__name__)

PATIENT = 2  # turns of half a minute: at QoS 1 none is dropped
REASON = "messages that must be acknowledged (QoS 1) have stopped"


class Flow:
    """The word that is on its way, and what it tells."""

    def __init__(self, wire: Wire, mark: bytes) -> None:
        self.trouble = ""
        self.said = False  # in this turn
        self._wire = wire
        self._mark = mark  # what no other word begins with
        self._number = 0
        self._out = False
        self._turns = 0
        self._settled = -1

    def turn(self, settled: int | None, topic: str | None) -> None:
        """Look once more: so many messages were acknowledged (None: one waits for it), and at `topic` words at QoS 0 come back.

        Raises UnavailableError. Where it has stopped the connection is left, once: over another one a broker counts anew.
        """
        self.said = False
        if settled != self._settled:
            self._turns = 0
            if settled is not None:  # something came, and was acknowledged
                self._settled = settled
                self._moves()
        elif topic is None:  # nothing comes at all, which others tell
            self._turns = 0
        elif not self._out:
            self._number += 1
            self._wire.publish(topic, b"%b%d" % (self._mark, self._number), 1)
            self._out = self.said = True
            self._turns = 0
        else:
            self._turns += 1
            if self._turns >= PATIENT and not self.trouble:
                self.trouble = (
                    f"{REASON}, while others come: the broker believes that we owe it acknowledgements. Coming back over another connection "
                    "should have cured it; where this stays, restart the broker"
                )
                log.error("what must be acknowledged has stopped; connecting again", topic=topic)
                self._wire.lose(REASON)

    def heard(self, payload: bytes) -> bool:
        """Whether this was a word of ours at QoS 1; also one of an earlier connection shows that it flows."""
        if not payload.startswith(self._mark):
            return False
        self._out = False
        self._moves()
        return True

    def connected(self) -> None:
        """Another connection: a word of the last one may be lost."""
        self._out = self.said = False
        self._turns = 0

    def _moves(self) -> None:
        if self.trouble:
            log.info("what must be acknowledged comes again")
        self.trouble = ""
