"""Every door to the outside: what the rest of the code may ask of brokers, journal, store and database.

Ports are async; the functions between them are sync and pure. Each port has one conformance test class, run against
every adapter. All times are int ms since 1970 UTC unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from core.alert import Alert, AlertEvent, Intent, Step
from core.batch import Batch
from core.board import Shown
from core.clock import SimTime
from core.deadletter import Choice, DeadLetter, Tally
from core.forecast import Forecast
from core.http import Request, Response
from core.message import Message
from core.model_card import ModelCard
from core.person import Person
from core.place import Deployment, Device, Org, Station, Waterway
from core.record import Day, Score
from core.redecode import Change, Run, Touched
from core.series import SeriesKey
from core.state import BootSpan, Claim, Commit, DeviceClock, DeviceStatus, Gap, Judged, Seen, SeriesState, Waiting, WaitingDevice

# ---------------------------------------------------------------- messages in


class MessageSource(Protocol):
    """Where messages come from: a broker we subscribe to, or our own listener."""

    async def open(self) -> None:
        """Connect or listen. Raises UnavailableError (away) or RefusedError (wrong password)."""
        ...

    async def batch(self) -> list[Message]:
        """Wait for at least one message, linger some ms, return what came, in order of arrival.

        Survives a lost connection (it reconnects by itself). Cancelling it loses nothing.
        """
        ...

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """PUBACK these, in order; what came over a connection that is gone is skipped (it will come again)."""
        ...

    async def close(self) -> None:
        """Disconnect cleanly; what was not acknowledged stays with its sender."""
        ...


class Delivery(Enum):
    """What became of a publish."""

    ACKNOWLEDGED = "acknowledged"
    NO_SUBSCRIBERS = "no matching subscribers"  # MQTT 5 reason 0x10: acknowledged by a broker that gave it to nobody
    REFUSED = "not authorized"


class Publisher(Protocol):
    """An MQTT client that publishes at QoS 1 and keeps each message until its PUBACK, over reconnects too."""

    async def open(self) -> None:
        """Connect. Raises UnavailableError or RefusedError."""
        ...

    async def publish(self, topic: str, payload: bytes) -> Delivery:
        """Publish and wait for the PUBACK. Many may wait at once; they are sent in the order of the calls."""
        ...

    async def close(self) -> None:
        """Disconnect; the publishes still waiting end with UnavailableError."""
        ...


# ---------------------------------------------------------------- journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A run of journal records: [(position, message)], the position after them, and how many damaged bytes were skipped."""

    records: list[tuple[int, Message]]
    next: int
    damaged_bytes: int = 0


class Journal(Protocol):
    """Append-only, fsynced file of messages; a position is a byte offset over all segments, rising for ever."""

    id: str

    @property
    def end(self) -> int:
        """The position after the last durable record."""
        ...

    @property
    def start(self) -> int:
        """The position of the oldest record kept."""
        ...

    def append(self, messages: Sequence[Message]) -> int:
        """Write and fsync; returns the new end. Raises JournalFullError, and then nothing was added.

        Sync on purpose: the fsync must be over before the acknowledgement, and it releases the GIL.
        """
        ...

    def read(self, position: int, *, limit: int) -> Slice:
        """At most `limit` records from `position` on; empty at the end. A damaged record is skipped and counted."""
        ...

    def get(self, position: int) -> Message | None:
        """The one record at `position`; None where it is no longer kept or damaged."""
        ...

    def close(self) -> None:
        """Close the files."""
        ...


# ---------------------------------------------------------------- store


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRow:
    """A row the store will never take: its index in the batch and the store's words."""

    row: int
    text: str


class SeriesStore(Protocol):
    """Readings by series and time. The same identity (series key, time) again: the last write wins."""

    name: str
    durable_after: float  # how long after the answer of `flush` what was written before is safe from a power cut [s]; cursors trail by it

    async def open(self) -> None:
        """Connect and check. Raises UnavailableError (away), RefusedError (password, no database), FormatError."""
        ...

    async def create(self) -> None:
        """Make the database or file where it does not exist (`canhman migrate --create-store`)."""
        ...

    async def ping(self) -> None:
        """Raises as `open` does, where the store cannot take a write now."""
        ...

    async def write(self, batch: Batch, keys: Sequence[SeriesKey], cursor: int | None = None, *, journal: str = "") -> list[RefusedRow]:
        """Upsert all rows with value, flag, tests and received; `batch.series` indexes `keys`.

        With `cursor`, the store's cursor of `journal` moves there, in the same transaction where it has one, else
        after the answer. Returns the rows it will never take. Raises UnavailableError or RefusedError: then nothing
        may be assumed, and the same write may be repeated.
        """
        ...

    async def write_flags(self, batch: Batch, keys: Sequence[SeriesKey]) -> None:
        """Rewrite flag and tests of rows that exist; values and `received` are left alone."""
        ...

    async def flush(self) -> None:
        """Have everything written through here safe from a power cut. Raises UnavailableError: then nothing may be assumed.

        To be awaited before anything durable elsewhere (a commit of the database) relies on what was written.
        """
        ...

    async def cursor(self, journal: str) -> int:
        """How far `journal` is stored; 0 where nothing is."""
        ...

    async def read(self, keys: Sequence[SeriesKey], start: int, end: int, *, limit: int | None = None) -> Batch:
        """Rows with start ≤ time < end, sorted by (series, time); `series` indexes `keys`.

        With `limit`, at most that many of the oldest rows of each series.
        """
        ...

    async def series(self, *, station: str | None = None) -> list[SeriesKey]:
        """Every series stored (of one station), sorted. For `doctor` and repairs, not for everyday reads."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


# ---------------------------------------------------------------- database


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySnapshot:
    """All that is registered, at one `version` (rises with every change)."""

    version: int
    orgs: tuple[Org, ...]
    devices: tuple[Device, ...]
    stations: tuple[Station, ...]
    deployments: tuple[Deployment, ...]
    waterways: tuple[Waterway, ...]


class Registry(Protocol):
    """Orgs, devices, stations and deployments. Every change takes an actor and leaves a row in `audit`."""

    async def version(self) -> int:
        """The number of the last change; cheap, asked once a second."""
        ...

    async def snapshot(self) -> RegistrySnapshot:
        """Everything, in one consistent read."""
        ...

    async def put(self, *items: Org | Device | Station | Deployment | Waterway, actor: str, why: str = "") -> int:
        """Insert or change these in one transaction, with audit rows (before → after); returns the new version.

        A Deployment is known by (device, channel, start). Raises ConflictError, and then changes nothing.
        """
        ...

    async def audit(self, *, limit: int = 100) -> list[AuditRow]:
        """The newest changes first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One change: who, when [system ms], to what, from what to what (JSON texts; `before` empty for a new one)."""

    id: int
    at: int
    actor: str
    kind: str
    subject: str
    before: str
    after: str
    why: str


class States(Protocol):
    """`series_state` and what goes with it in the same transaction."""

    async def commit(self, commit: Commit) -> None:
        """All of `commit` in one transaction. Idempotent: the same journal read again changes nothing but `changed`."""
        ...

    async def state_cursor(self, journal: str) -> int:
        """The journal position the last commit covers; 0 where there is none."""
        ...

    async def state_cursors(self) -> dict[str, int]:
        """By journal, of all that ever committed."""
        ...

    async def states(self, *, station: str | None = None) -> list[SeriesState]:
        """All rows (of one station), sorted by key."""
        ...

    async def changed_since(self, changed: int, *, limit: int = 1000) -> list[SeriesState]:
        """Rows with `changed` greater, in rising order."""
        ...

    async def dirty(self) -> list[SeriesState]:
        """Rows with `dirty_from` set."""
        ...

    async def judged(self, rows: Sequence[Judged], *, rewritten: int | None = None) -> int:
        """Take in the judge's answers in one transaction; returns how many were still current and so cleared.

        `rewritten`: the number of `rewriting` before their rows were read; where it has risen since, an answer counts only if it is current.
        """
        ...

    async def judge_again(self, *, but: str) -> int:
        """Mark every row judged by another configuration than `but` (a hash) as dirty from the beginning; how many."""
        ...

    async def rewriting(self) -> int:
        """How often readings were announced to be written past ingest."""
        ...

    async def announce_rewriting(self) -> int:
        """To be said before readings are written past ingest (`redecode`): it has tails of the series in memory, and believes them no more."""
        ...

    async def replace(self, rows: Sequence[SeriesState]) -> None:
        """Rebuild from the store (`doctor --repair`): these rows, whatever stood there."""
        ...


class DeadLetters(Protocol):
    """Refused messages and values; written by `States.commit`, at most one row per (journal, position, reason, key)."""

    async def dead_letters(self, *, reason: str | None = None, device: str | None = None, limit: int = 100, before: int | None = None) -> list[DeadLetter]:
        """Newest first; `before` an id, for paging."""
        ...

    async def chosen_letters(self, choice: Choice, *, limit: int = 100, before: int | None = None) -> list[DeadLetter]:
        """Newest first; `before` an id, for paging."""
        ...

    async def dead_letter_tallies(self, choice: Choice) -> list[Tally]:
        """How many there are, by reason and device."""
        ...

    async def dead_letter(self, id: int) -> DeadLetter:
        """One of them. Raises NotFoundError."""
        ...

    async def dead_letter_counts(self) -> dict[str, int]:
        """Unresolved by reason (sums of `count`)."""
        ...

    async def ask_replay(self, ids: Sequence[int], *, shift_ms: int = 0, actor: str = "") -> int:
        """Mark for ingest to read again, with times moved by `shift_ms`; returns how many were marked. Audited where an actor is named."""
        ...

    async def ask_replays(self, choice: Choice, *, shift_ms: int = 0, actor: str = "") -> int:
        """Mark all unresolved ones of a choice; as `ask_replay`."""
        ...

    async def replays(self, journal: str, *, limit: int = 1000) -> list[DeadLetter]:
        """Marked and not yet done, oldest first."""
        ...


class Redecodes(Protocol):
    """The log of what `redecode` rewrote: old → new, by run."""

    async def begin_redecode(self, run: Run) -> int:
        """A new run; returns its id."""
        ...

    async def log_redecode(self, run: int, changes: Sequence[Change]) -> None:
        """What is about to be written: it stands in the log before it stands in the store."""
        ...

    async def finish_redecode(self, run: int, *, state: str = "finished", counts: Mapping[str, int]) -> None:
        """The end of a run."""
        ...

    async def redecode_runs(self, *, limit: int = 100, state: str | None = None) -> list[Run]:
        """The newest first."""
        ...

    async def redecode_run(self, id: int) -> Run:
        """One of them. Raises NotFoundError."""
        ...

    async def redecode_touched(self, run: int) -> list[Touched]:
        """What a run did to each series, by key."""
        ...

    async def redecode_changes(self, run: int, *, limit: int = 1000, after: int = 0) -> list[tuple[int, Change]]:
        """Its changes with their ids in the order they were made (100,000 at most are kept, of the last 20 runs), beyond the id `after`."""
        ...


class Enrolment(Protocol):
    """Devices that wait for approval, and what of theirs is kept (in the journal; here only where it stands)."""

    async def waiting_devices(self) -> list[WaitingDevice]:
        """All that wait, by org and device."""
        ...

    async def waiting(self, device: str, journal: str, *, limit: int = 1000) -> list[Waiting]:
        """The kept messages of one device in one journal, oldest first."""
        ...

    async def forget_waiting(self, device: str, *, actor: str) -> int:
        """Reject: drop what is kept of it (audited); returns how many messages."""
        ...


class Identities(Protocol):
    """What makes a redelivery recognisable: the memory behind (device, boot, seq); written by `States.commit`."""

    async def seen(self, device: str) -> list[Seen]:
        """The last 1,000 objects of a clockless device and those of the last 16 MB of the journal, oldest first."""
        ...

    async def boots(self, device: str) -> list[BootSpan]:
        """What a device with a clock sent, by boot."""
        ...

    async def recalled(self, devices: Sequence[str]) -> dict[str, tuple[list[Seen], list[BootSpan]]]:
        """`seen` and `boots` of each of these devices, in one go."""
        ...

    async def claim(self, objects: Sequence[tuple[Seen, bool]]) -> list[Claim | None]:
        """Of several ingests: who read these clockless objects first, this one (whose word is kept then) or another.

        Asked before anything of them is stored, and idempotent: the same journal and position is the same arrival. An
        object whose flag is false is only looked up; where nobody met it before, the answer is None.
        """
        ...

    async def gaps(self, device: str | None = None) -> list[Gap]:
        """Numbers that never came (of one device), by device and boot."""
        ...

    async def device_clocks(self) -> list[DeviceClock]:
        """How each device's clock was last measured."""
        ...

    async def device_statuses(self) -> list[DeviceStatus]:
        """The last word of every device."""
        ...

    async def counters(self) -> dict[str, int]:
        """All counters, e.g. {"duplicate:kl01": 3}."""
        ...


class SimClockRow(Protocol):
    """The saved hands of a simulated clock (`CANHMAN_CLOCK=sim`)."""

    async def load_clock(self) -> SimTime | None:
        """The saved row; None before the first start."""
        ...

    async def save_clock(self, clock: SimTime) -> None:
        """Save it (each second, by the one process that owns the clock)."""
        ...


# ---------------------------------------------------------------- forecasts, alerts, people


class Forecasts(Protocol):
    """`forecast_issue`: forecasts as issued, append-only. Scores and the public record come from here alone."""

    async def issue(self, forecasts: Sequence[Forecast]) -> int:
        """Append these in one transaction; returns how many were new.

        An issue is known by (station, point, target, model, version, issued_at): the same again changes nothing. Raises
        ConflictError for arrays whose lengths differ, are empty or hold what is no number.
        """
        ...

    async def latest_forecasts(self, *, target: str, station: str | None = None, until: int | None = None) -> list[Forecast]:
        """The newest issue per (station, point) of one target (of one station; issued at or before `until` [ms]); no hindcast."""
        ...

    async def forecasts(self, *, station: str, point: str, target: str, since: int = 0, until: int | None = None, limit: int = 100) -> list[Forecast]:
        """Issues with since ≤ issued_at < until, oldest first."""
        ...

    async def forecasts_after(self, id: int, *, limit: int = 100) -> list[Forecast]:
        """Issues with a greater id, in rising order: for the mirror and the alerts."""
        ...


class ModelFiles(Protocol):
    """Trained models, kept one file each with its card; of each target at most one speaks. Files begin with magic and version."""

    async def keep(self, card: ModelCard, content: bytes) -> ModelCard:
        """Write both, whole or not at all; returns the card with its hash. Raises ConflictError for a version that is there, UnavailableError."""
        ...

    async def cards(self) -> list[ModelCard]:
        """All, the newest first. A card that cannot be read is left out; `doctor` names it."""
        ...

    async def promote(self, card: ModelCard, *, at: int, why: str) -> ModelCard:
        """Let it speak from `at` [ms] on, instead of the one that did. Raises NotFoundError."""
        ...

    async def note(self, card: ModelCard, *, why: str) -> ModelCard:
        """Write down why it does not speak. Raises NotFoundError."""
        ...

    async def speaking(self, target: str) -> ModelCard | None:
        """The one that speaks; cheap, asked every second. Raises FormatError where what says so cannot be read, UnavailableError."""
        ...

    async def content(self, card: ModelCard) -> bytes:
        """The file. Raises FormatError where it is not what was kept (hash, magic, version), NotFoundError."""
        ...

    async def check(self, card: ModelCard) -> None:
        """Raises as `content` where that would; cheap where the file did not change since the last check, asked every second."""
        ...


class Records(Protocol):
    """`forecast_score` and `forecast_day`: how issued forecasts scored, as sums that add up, and day by day; each interval is scored once."""

    async def add_scores(self, scores: Sequence[Score], days: Sequence[Day] = (), *, name: str, was: int, value: int) -> bool:
        """Add these to what is there and move the cursor `name` from `was` to `value`, in one transaction.

        Returns False, and changes nothing, where the cursor does not stand at `was`: another has scored that stretch.
        """
        ...

    async def scores(
        self, *, stations: Sequence[str], target: str, leads: Sequence[int] = (), since: int = 0, lines: Sequence[float] = (), over: Sequence[str] = ()
    ) -> list[Score]:
        """The sums over all months from `since` (as 202512) on, as `month` 0, of these stations and one target (of these leads and lines; none = all), by key.

        Summed up over the keys named in `over` too (`station`, `point`, `model`, `bin`), which are then empty or 0; of very many stations in a few parts.
        """
        ...

    async def scored_days(self, *, stations: Sequence[str], target: str, since: int = 0, until: int | None = None) -> list[Day]:
        """Days of these stations and one target (`day_max`, `day_min`) with since ≤ time < until [ms], by station, point and time."""
        ...


class Mirror(Protocol):
    """What Grafana reads beside the readings, in InfluxDB: measurements `forecast`, `alert`, `station` and `latest`. Other stores take nothing."""

    async def mirror_forecasts(self, forecasts: Sequence[Forecast]) -> list[RefusedRow]:
        """Upsert them, as `latest` and as the leads d01, d03, d07, d14; returns those that were not taken whole and never will be.

        Raises UnavailableError, or RefusedError where it refuses us.
        """
        ...

    async def mirror_alerts(self, alerts: Sequence[Alert]) -> list[RefusedRow]:
        """Upsert one point each at `updated_at`; returns those the store will never take. Raises UnavailableError, or RefusedError where it refuses us."""
        ...

    async def mirror_stations(self, stations: Sequence[Station], waterways: Mapping[str, str], at: int) -> int:
        """Write those that stand otherwise there (or not at all), at `at` [ms]; returns how many. `waterways`: id → name.

        Raises UnavailableError or RefusedError; what is refused never keeps the others from being written.
        """
        ...

    async def mirror_latest(self, rows: Sequence[Shown]) -> list[RefusedRow]:
        """Upsert these rows of `latest`, in their order; returns those the store will never take.

        Raises UnavailableError, or RefusedError where it refuses us.
        """
        ...

    async def mirrored_latest(self, since: int) -> list[Shown]:
        """Rows of `latest` that a writer which begins anew must know: the fresh ones after `since` [ms], and of each point the one with the newest time."""
        ...


class Alerts(Protocol):
    """Alerts, their history and the outbox. A step and its outbox rows are one transaction."""

    async def live_alerts(self, *, cleared_since: int = 0) -> list[Alert]:
        """Those not cleared, and those cleared at or after `cleared_since` [ms]: what the policy goes on from."""
        ...

    async def alerts(
        self,
        *,
        states: Sequence[str] = (),
        station: str | None = None,
        limit: int = 100,
        before: tuple[int, int] | None = None,
        ids: Sequence[int] | None = None,
    ) -> list[Alert]:
        """Newest `opened_at` first (then id); of these states (none = all); `before` an (opened_at, id), for paging; or just these ids."""
        ...

    async def alert(self, id: int) -> Alert:
        """One of them. Raises NotFoundError."""
        ...

    async def alert_events(self, alert: int) -> list[AlertEvent]:
        """The history of one alert, oldest first."""
        ...

    async def take_steps(self, steps: Sequence[Step], *, name: str = "", value: int = 0) -> list[Alert]:
        """Insert (id 0) or change these alerts, append their events, add their intents, and save cursor `name` = `value`, all or nothing.

        Returns the alerts with their ids. A step that another was first with (its alert is cleared already, or reopened already) is
        dropped with its event and intents; the alert then comes back as it stands. Raises ConflictError where a second alert of a
        key would be open. What a person did meanwhile stays: an acknowledgement is only undone by `cleared` or `reopened`.
        """
        ...

    async def acknowledge(self, id: int, *, actor: str, at: int) -> Alert:
        """open → acknowledged, with its event; a second time changes nothing. Raises NotFoundError, ConflictError (cleared already)."""
        ...

    async def due_intents(self, now: int, *, limit: int = 100) -> list[Intent]:
        """Waiting intents with due_at ≤ `now` [system ms], oldest first."""
        ...

    async def settle(self, intents: Sequence[Intent]) -> None:
        """Save state, attempts, due_at and receipt of these."""
        ...

    async def intents(self, *, state: str | None = None, limit: int = 100) -> list[Intent]:
        """The outbox, newest first."""
        ...


class Cursors(Protocol):
    """How far a watcher has read (`changed`, ids of forecasts): a name and a number."""

    async def load_cursor(self, name: str) -> int:
        """0 where it was never saved."""
        ...

    async def save_cursor(self, name: str, value: int) -> None:
        """Save it."""
        ...


class Leases(Protocol):
    """Of all processes that share a database at most one holds a name, until the time it asked for is over."""

    async def take_lease(self, name: str, holder: str, ttl_s: float) -> bool:
        """Take or renew it for `ttl_s` from now on; False while another holder has it. One who dies holds it for `ttl_s` at most.

        `holder` is the same for whoever may take over at once (the machine and its folder), and is shown to people.
        """
        ...

    async def release_lease(self, name: str, holder: str) -> None:
        """Give it up, where `holder` still has it."""
        ...

    async def lease_holder(self, name: str) -> str:
        """Who holds it now; empty where nobody does."""
        ...


class People(Protocol):
    """Accounts and failed log-ins. Every change takes an actor and leaves a row in `audit` (never a password)."""

    async def people(self) -> list[Person]:
        """All, by name."""
        ...

    async def person(self, name: str) -> Person | None:
        """One of them."""
        ...

    async def put_person(self, person: Person, *, actor: str, why: str = "") -> None:
        """Insert or change. Raises ConfigError (name, role) or ConflictError (an org that is not registered, the last admin closed)."""
        ...

    async def spend_password(self, name: str, generation: int) -> bool:
        """Mark a one-time password as used, whatever becomes of the session; False where it was used already."""
        ...

    async def failed_logins(self, keys: Sequence[str], since: int) -> dict[str, int]:
        """How many attempts failed per key (a name, an address) since `since` [system ms]."""
        ...

    async def note_login(self, keys: Sequence[str], at: int, *, ok: bool, name: str = "") -> None:
        """A failed attempt is counted per key; a good one forgets the name's failures and sets its last_login_at."""
        ...


# ---------------------------------------------------------------- messages out


class Http(Protocol):
    """Sends requests that somebody else built."""

    async def send(self, request: Request) -> Response:
        """One try within its time, no redirect followed. Raises UnavailableError, without the address, where no whole answer came."""
        ...
