"""The subscriptions of a session: asked for over every connection, and what is wrong with them in words. For both clients.

A broker that was killed may know a session without its subscriptions, so that it says nothing of them. While we run, one that
is refused leaves the others as they are: it is said, and asked for again, for it may have been refused but for a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from adapters.mqtt_endpoint import Endpoint
from adapters.mqtt_filters import other_forms, shared_form
from adapters.mqtt_packets import reason_text
from core.errors import RefusedError, UnavailableError
from registry.permissions import BROKER_STATE, FILTERS

log = structlog.get_logger(__name__)

SOON_S = 5.0  # then one that was refused is asked for again
SELDOM_S = 60.0
LONGEST_S = 60.0  # an answer may take, behind all that a broker has in flight, while it is read
_REFUSED = 0x80  # and above


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How a client speaks over the connection that stands. Each but `lose` and `heard_at` raises UnavailableError where there is none."""

    subscribe: Callable[[str, int, bool], int]  # filter, QoS, whether again; the packet's identifier
    unsubscribe: Callable[[Sequence[str]], int]
    publish: Callable[[str, bytes, int], None]  # topic, payload, QoS 0 or 1; nobody waits for its PUBACK
    flush: Callable[[], None]
    lose: Callable[[str], None]
    heard_at: Callable[[], float]  # when something was last read [s of the loop]; now, while nothing is to be read


class Held:
    """What is wanted, what is asked and not answered, and whether all of it was granted."""

    def __init__(self, endpoint: Endpoint, wire: Wire, filters: Sequence[str], *, share: str | None) -> None:
        self.trouble = ""  # with the subscriptions, by the last answers
        self.sessions_lost = 0  # how often the broker had forgotten our session
        self.share = share
        self._endpoint = endpoint
        self._wire = wire
        self._answers: dict[int, asyncio.Future[Sequence[int]]] = {}  # by the identifier of a SUBSCRIBE or UNSUBSCRIBE
        self._task: asyncio.Task[None] | None = None  # that asks again
        self.want(filters)

    def want(self, filters: Sequence[str]) -> None:
        """From now on these, and no other form of them."""
        self.filters = tuple(filters)
        self._wanted = tuple(shared_form(f, self.share) for f in filters)
        self._unwanted = other_forms({*filters, *FILTERS}, self.share, self._wanted)

    async def hold(self, *, again: bool = False) -> None:
        """Ask for them and await the answers; whoever opens a connection says for how long. Raises RefusedError where one is refused, or UnavailableError.

        `again`: over a connection that stands, which is left where no answer comes.
        """
        if refused := await self._ask(again=again, patient=again):
            raise RefusedError(refused[0])

    def renew(self, *, session: bool) -> None:
        """Ask for them while messages come: the answers are behind all that waits there, which is read as fast as it is stored.

        Without a `session` the broker has forgotten ours.
        """
        if not session:
            self.forgotten()
        self._stop()
        self._task = asyncio.get_running_loop().create_task(self._renew(), name=f"{self._endpoint} subscriptions")

    def forgotten(self) -> None:
        """The broker had a session of ours, and has it no more."""
        self.sessions_lost += 1
        log.error("the broker had forgotten our session: what devices sent while we were away is lost", broker=str(self._endpoint))

    def answered(self, packet_id: int, codes: Sequence[int]) -> None:
        """A SUBACK or UNSUBACK."""
        answer = self._answers.pop(packet_id, None)
        if answer is not None and not answer.done():
            answer.set_result(codes)

    def lost(self, reason: str) -> None:
        """The connection is gone, and with it every answer; the next one asks anew."""
        self._stop()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(UnavailableError(f"{self._endpoint} closed the connection: {reason}"))
                answer.exception()  # seen: nobody may be waiting for it
        self._answers.clear()

    def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def _renew(self) -> None:
        pause, said = SOON_S, list[str]()
        try:
            while refused := await self._ask(again=True, patient=True):
                if refused != said:
                    log.error("mqtt subscription refused", client=self._endpoint.client_id, error="; ".join(refused))
                    said = refused
                if len(refused) == len(self._wanted):  # nothing is to come over this one; a broker may ask its rules anew over another
                    self._wire.lose("every subscription is refused")
                    return
                await asyncio.sleep(pause)
                pause = min(2 * pause, SELDOM_S)
        except UnavailableError:
            pass  # the next connection asks
        else:
            if said:
                log.info("mqtt subscriptions are granted again", client=self._endpoint.client_id)

    async def _ask(self, *, again: bool, patient: bool) -> list[str]:
        """What is refused, in words. `patient`: an answer is missing only once nothing else is read either."""
        where, wire = self._endpoint, self._wire
        asked = [(f, self._answer(wire.subscribe(f, 1, again))) for f in self._wanted]
        wire.subscribe(BROKER_STATE, 0, False)  # where a broker does not tell, or not us, nothing comes
        # Afterwards, so that there is no moment without a subscription: a few messages twice, but none lost.
        gone = self._answer(wire.unsubscribe(self._unwanted))
        wire.flush()
        await (self._patiently if patient else self._all)([*(answer for _, answer in asked), gone])
        granted = [(f, answer.result()[0]) for f, answer in asked]
        refused = [f"{where} refuses {where.who} the subscription to {f}: {reason_text(code)}" for f, code in granted if code >= _REFUSED]
        bare = [f for f, code in granted if code == 0]
        if bare:
            log.warning("the broker delivers without acknowledgement (QoS 0)", broker=str(where), filters=bare)
        loss = f"{where} delivers {', '.join(bare)} at QoS 0 alone: what is on its way when ingest or the line breaks is lost"
        self.trouble = "; ".join([*refused, *([loss] if bare else [])])
        return refused

    async def _all(self, answers: Sequence[asyncio.Future[Sequence[int]]]) -> None:
        for answer in answers:
            await answer

    async def _patiently(self, answers: Sequence[asyncio.Future[Sequence[int]]]) -> None:
        """An answer is missing where nothing else comes either, or for too long; while nothing is read no time passes."""
        loop, limit = asyncio.get_running_loop(), self._endpoint.timeout_s
        waiting, since = set(answers), loop.time()
        while waiting:
            _, waiting = await asyncio.wait(waiting, timeout=limit)
            now = loop.time()
            heard = self._wire.heard_at()
            if heard >= now:
                since = now
            elif waiting and (now - heard >= limit or now - since >= LONGEST_S):
                self._wire.lose(f"no answer to a subscription within {now - since:.1f} s")

    def _answer(self, packet_id: int) -> asyncio.Future[Sequence[int]]:
        answer: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
        self._answers[packet_id] = answer
        return answer
