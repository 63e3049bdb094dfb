"""Of several ingests one takes what cannot be shared: the words of devices (status, answers to commands), whose order matters.

It is whoever holds a lease in the database, by the name of its session, for as long as a broker keeps the session of a
worker that is away: until then the words wait there for it, afterwards another one takes them. No setting names it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from adapters.mqtt_filters import is_shared
from adapters.mqtt_own import SHARE_EXPIRY_S
from adapters.mqtt_source import BrokerSource
from canhman import wiring
from core.errors import RefusedError, UnavailableError
from core.ports import Leases
from registry.permissions import FILTERS

log = structlog.get_logger()

LEASE = "words"
EVERY_S = 600.0


async def take(leases: Leases, worker: str) -> bool:
    """True where this worker takes them (now, or still); a lone ingest always does. Raises what the database raises."""
    return not worker or await leases.take_lease(LEASE, wiring.client_id(worker), SHARE_EXPIRY_S)


def filters(words: bool) -> Sequence[str]:
    """What an ingest subscribes to, with the words of devices or without."""
    return FILTERS if words else [f for f in FILTERS if is_shared(f)]


async def follow(leases: Leases, source: BrokerSource, worker: str, words: bool) -> None:
    """Keep the lease, or take it up where its holder has been away for a day. Never returns."""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            now = await asyncio.to_thread(asyncio.run, take(leases, worker))
            if now == words:
                continue
            await source.change(filters(now))
        except (UnavailableError, RefusedError) as error:
            log.warning("who takes what devices say of themselves could not be settled; asking again", why=str(error))
        else:
            words = now
            log.info("what devices say of themselves is taken by this ingest from now on" if now else "another ingest takes what devices say of themselves")
