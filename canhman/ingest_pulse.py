"""What ingest says of itself each two seconds: figures, histograms and troubles into its heartbeat, and once a minute a line in the log."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import structlog

from adapters.journal import FileJournal
from adapters.listener import Listener
from adapters.mqtt_source import BrokerSource
from canhman import echo_record, heartbeat, journal_house, wiring
from canhman.settings import Settings
from core.errors import UnavailableError
from core.ports import MessageSource
from ingest.health import Health
from ingest.meters import Meters, Watch, lag_messages
from ingest.pipeline import Processor

log = structlog.get_logger()


class Pulse:
    """The figures of one ingest; `follow` writes them until it is cancelled."""

    def __init__(
        self, settings: Settings, *, journal: FileJournal, processor: Processor, source: MessageSource, meters: Meters, health: Health, now: float
    ) -> None:
        self._settings = settings
        self._folder = wiring.data_folder(settings)
        self._worker = settings.worker
        self._journal = journal
        self._processor = processor
        self._source = source
        self._meters = meters
        self._health = health
        self._began_at = journal.end
        self._watch = Watch(meters, now=now)
        self._received, self._received_at = 0, now
        if isinstance(source, BrokerSource):
            source.echo.known |= echo_record.read(settings)
            self._echoes = len(source.echo.known)  # that are remembered

    @property
    def lag_s(self) -> float:
        """How old the oldest message is that is not stored [s of the wall]."""
        return self._meters.waited_s if self._journal.end > self._processor.cursor else 0.0

    def figures(self) -> dict[str, int]:
        """By the names of `canhman.figures`."""
        behind = self._journal.end - self._processor.cursor
        seen, messages = self._journal.end - self._began_at, self._meters.journalled
        found = {
            "journal_end": self._journal.end,
            "stored_to": self._processor.cursor,
            "bytes_behind": behind,
            "lag_messages": lag_messages(bytes_behind=behind, bytes_seen=seen, messages_seen=messages),
            "lag_ms": round(self.lag_s * 1000),
            "readings_written": self._processor.written,
            **self._meters.counts(),
            "judged": self._meters.judged + self._processor.judged,
            **journal_house.figures(self._journal),
        }
        if isinstance(self._source, Listener | BrokerSource):
            kind = "listener" if isinstance(self._source, Listener) else "broker"
            found |= {f"{kind}_{name.removeprefix('broker_')}": count for name, count in self._source.counters.items()}
        if isinstance(self._source, BrokerSource):
            found |= _of_broker(self._source)
        return found

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await self.beat(time.monotonic())
            await asyncio.sleep(heartbeat.EVERY_S)

    async def beat(self, now: float) -> None:
        """Say it once, at `now` [s]."""
        if isinstance(self._source, BrokerSource):
            await self._probe(self._source)
        if self._received != self._meters.received:
            self._received, self._received_at = self._meters.received, now
        figures = self.figures() | {"quiet_s": round(now - self._received_at)}
        self._watch.look(now, self.lag_s)
        self._tell_troubles(figures)
        recent = self._watch.recent()
        if self._watch.is_due(now):
            log.info("ingest", **_line(figures, recent, self._health.troubles))
        name, histograms = heartbeat.ingest_name(self._worker), self._meters.histograms()
        await asyncio.to_thread(heartbeat.write, self._folder, name, self._health.troubles, figures, None, recent=recent, histograms=histograms)

    async def _probe(self, source: BrokerSource) -> None:
        """A word to ourselves; by what filters one came back once is remembered, so that silence tells something after a restart too."""
        with contextlib.suppress(UnavailableError):
            source.probe()
        if len(source.echo.known) > self._echoes:
            self._echoes = len(source.echo.known)
            await asyncio.to_thread(echo_record.write, self._settings, frozenset(source.echo.known))

    def _tell_troubles(self, figures: dict[str, int]) -> None:
        said = []
        if dropped := figures.get("broker_dropped"):
            said.append(f"it has dropped {dropped} messages it had acknowledged: its queue is too small; use the files of canhman broker init")
        if isinstance(self._source, Listener | BrokerSource):
            said.append(self._source.trouble)
        part = "listener" if isinstance(self._source, Listener) else "broker"
        if found := "; ".join(filter(None, said)):
            self._health.red(part, found)
        else:
            self._health.green(part)
        if trouble := self._watch.trouble():
            self._health.red("lag", trouble)
        else:
            self._health.green("lag")


def _of_broker(source: BrokerSource) -> dict[str, int]:
    """How the connection is; of words to ourselves nothing while none came back yet."""
    found = {"broker_connected": int(source.connected), "broker_connections": source.connections, "broker_sessions_lost": source.sessions_lost}
    return found if source.echo.took_s is None else found | {"broker_echo_ms": round(1000 * source.echo.took_s), "broker_echo_filters": len(source.echo.known)}


def _line(figures: dict[str, int], recent: dict[str, float], troubles: dict[str, str]) -> dict[str, Any]:
    """What the log's line of a minute holds."""
    rates = {name: round(value, 1) for name, value in recent.items() if name in ("received_per_s", "stored_per_s")}
    times = {f"{name.replace('_seconds', '')}_ms": round(1000 * recent[name], 1) for name in ("fsync_seconds_p99", "write_seconds_p99") if name in recent}
    return {**rates, "lag_messages": figures["lag_messages"], "lag_s": round(figures["lag_ms"] / 1000, 1), **times, "red": ", ".join(sorted(troubles)) or None}
