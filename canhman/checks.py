"""What `doctor` looks at: each check returns findings; a red one says what is wrong and the way out."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from adapters.influx import InfluxStore
from adapters.mqtt_look import lets_in, read_retained
from adapters.mqtt_publisher import PahoPublisher
from adapters.sql.database import SqlDatabase
from adapters.sql.engine import parse_url
from canhman import broker, broker_record, clocks, device_facts, heartbeat, journals, listener_tls, model_checks, service_lines, wiring
from canhman.configuration import left_out, read_alerts, read_qc, read_risk, where
from canhman.service_lines import counted
from canhman.settings import Settings
from core.clock import local
from core.errors import CanhManError, ConfigError, UnavailableError
from registry.broker_files import INGEST_USER, broker_user
from registry.directory import Directory
from registry.permissions import BROKER_STATE

LOOK_S = 5.0  # how long doctor waits for an answer of the store
QUIET_S = 6 * 3600  # as long as the busiest station may be silent (`silent_after` of risk.toml): then it is no pause of one device
LOW_SPACE = 512 << 20  # bytes: under this the journal has hours, not days

Mark = Literal["ok", "warn", "red"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of `doctor`: a part, how it is, and in words what and what to do."""

    part: str
    mark: Mark
    text: str
    figures: Mapping[str, int] = field(default_factory=dict)  # what the service counts, for --json


def run(settings: Settings) -> list[Finding]:
    """Every check, in the order of the path; one that fails does not stop the others."""
    if not settings.data.is_dir():  # a look makes nothing: a mistyped folder must not turn into an empty installation
        return [Finding(part="data", mark="red", text=wiring.no_installation(settings))]
    try:
        wiring.data_folder(settings)
    except ConfigError as error:  # what is behind it can only fail in the same way, in other words
        return [Finding(part="data", mark="red", text=str(error))]
    found: list[Finding] = []
    for part, check in _CHECKS.items():
        try:
            found += check(settings)
        except CanhManError as error:
            found.append(Finding(part=part, mark="red", text=str(error)))
    return found


def _ok(part: str, text: str) -> list[Finding]:
    return [Finding(part=part, mark="ok", text=text)]


def _config(settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    shown: dict[str, list[str]] = {}
    for name, read in (("qc.toml", read_qc), ("risk.toml", read_risk), ("alerts.toml", read_alerts)):
        try:
            config = read(settings.config)
        except ConfigError as error:
            found.append(Finding(part="config", mark="red", text=str(error)))
        else:
            note = f"approved by {config.approved_by}" if config.approved_by else "not approved by anybody yet (chưa được duyệt)"
            shown.setdefault(note, []).append(f"{name} {config.hash}")
    found = found or _ok("config", "; ".join(f"{', '.join(files)}: {note}" for note, files in shown.items()))
    return [*found, *_left_out(settings)]


def _left_out(settings: Settings) -> list[Finding]:
    """A file of one's own replaces the shipped one whole: tests that came with a later version are not in it."""
    try:
        missing = left_out(read_qc(settings.config))
    except ConfigError:
        return []  # found already
    text = f"{where('qc.toml', settings.config)} has no parameters for {', '.join(missing)}, and what only these find is good: "
    text += "copy their sections from the shipped one (docs/quality.md)"
    return [Finding(part="quality control", mark="warn", text=text)] if missing else []


def _data(settings: Settings) -> list[Finding]:
    folder = wiring.data_folder(settings)
    found: list[Finding] = []
    free = shutil.disk_usage(folder).free
    room = f"only {free >> 20} MiB free" if free < LOW_SPACE else ""
    if trouble := heartbeat.unwritable(folder):
        why = f"{trouble}, {room}" if room else trouble
        found.append(Finding(part="data", mark="red", text=f"nothing can be written into {folder}: {why}; nothing is acknowledged until it can"))
    elif room:
        found.append(Finding(part="data", mark="red", text=f"{folder}: {room}; the journal stops acknowledging when the disk is full"))
    else:
        found += _ok("data", f"{folder}: {free >> 30} GiB free")
    secret = folder / "secret"
    if secret.exists() and stat.S_IMODE(secret.stat().st_mode) & 0o077:
        found.append(Finding(part="data", mark="red", text=f"{secret} can be read by others: chmod 600 {secret}"))
    return found


def _database(settings: Settings) -> list[Finding]:
    db = wiring.database(settings)
    try:
        return [*_open_to_others(settings), *asyncio.run(_registered(settings, db))]
    finally:
        db.close()


def _config_hash(settings: Settings) -> str:
    """The hash of today's configuration; empty where it is broken, which is another check's finding."""
    try:
        return read_qc(settings.config).hash
    except ConfigError:
        return ""


def _open_to_others(settings: Settings) -> list[Finding]:
    """The hashes of passwords lie in it: who may enter its folder must not be able to read it."""
    name = parse_url(settings.database_url)
    if name.drivername != "sqlite" or not name.database:
        return []
    path = Path(name.database)
    file, folder = (stat.S_IMODE(p.stat().st_mode) for p in (path, path.absolute().parent))
    if (file & 0o040 and folder & 0o010) or (file & 0o004 and folder & 0o001):
        return [Finding(part="database", mark="warn", text=f"{path} holds password hashes and can be read by others: chmod 600 {path}")]
    return []


async def _registered(settings: Settings, db: SqlDatabase) -> list[Finding]:
    config = _config_hash(settings)
    snapshot = await db.snapshot()
    counts = f"{counted(len(snapshot.stations), 'station')}, {counted(len(snapshot.devices), 'device')}"
    found = _ok("database", f"{counts}, {counted(snapshot.version, 'change')} of the registry so far")
    if settings.clock == "system" and (simulated := await clocks.runs(db)):
        text = f"by it this installation runs, where it is {local(simulated.sim_ms)}; CANHMAN_CLOCK=system here tells wrong ages: export CANHMAN_CLOCK=sim"
        found.append(Finding(part="simulated clock", mark="warn", text=text))
    waiting = await db.waiting_devices()
    if waiting:
        names = ", ".join(w.device for w in waiting[:5]) + (" …" if len(waiting) > 5 else "")
        found.append(Finding(part="enrolment", mark="warn", text=f"{len(waiting)} devices wait for approval: {names} (canhman devices approve ID)"))
    if cut := [run.id for run in await db.redecode_runs(state="running")]:
        text = f"run {cut[0]} of canhman redecode has not come to its end; where it does not run any more, run it again: canhman redecode list"
        found.append(Finding(part="redecode", mark="warn", text=text))
    dead = await db.dead_letter_counts()
    if dead:
        text = ", ".join(f"{reason} {count}" for reason, count in sorted(dead.items()))
        found.append(Finding(part="dead letters", mark="warn", text=f"{text} (canhman deadletters count)"))
    try:
        facts = device_facts.findings(await db.device_clocks(), await db.gaps(), await wiring.now_ms(settings, db))
        found += [Finding(part=part, mark="warn", text=text) for part, text in facts]
    except ConfigError as error:  # a simulated clock that never ran: nothing else here needs to know what time it is
        found.append(Finding(part="simulated clock", mark="red", text=str(error)))
    states = await db.states()
    other = {s.config for s in states if config and s.config and s.config != config}
    if other:
        n = sum(s.config in other for s in states)
        text = f"{n} series were judged by another configuration ({', '.join(sorted(other))}, now {config}); canhman judge --again judges them anew"
        found.append(Finding(part="judge", mark="warn", text=text))
    dirty = [s for s in states if s.dirty_from is not None]
    if dirty:
        found.append(Finding(part="judge", mark="warn", text=f"{len(dirty)} series wait to be judged; ingest does it, or canhman judge --once"))
    else:
        found += _ok("judge", "every series is judged")
    return found


def _store(settings: Settings) -> list[Finding]:
    store = wiring.store(settings, patience_s=LOOK_S)

    async def look() -> list[Finding]:
        try:
            await store.open()
            await store.ping()
            if full := _unwritable(settings):
                return [Finding(part="store", mark="red", text=f"{store.name} can be read and takes no writes: {full}")]
            found = _ok("store", f"{store.name} takes writes")
            if isinstance(store, InfluxStore):
                found += [Finding(part="store", mark="red", text=trouble) for trouble in await store.troubles()]
            return found
        except UnavailableError as error:
            if not isinstance(store, InfluxStore):
                raise
            text = f"{error}; CANHMAN_STORE says where it is; does it run (systemctl status influxdb)? What is acknowledged waits in the journal meanwhile"
            return [Finding(part="store", mark="red", text=text)]
        finally:
            await store.close()

    return asyncio.run(look())


def _unwritable(settings: Settings) -> str:
    """Why a store that is a file here takes no writes; a server says so itself."""
    address = settings.store_address
    if address.kind != "sqlite" or address.path is None:
        return ""
    folder = address.path.absolute().parent
    trouble = heartbeat.unwritable(folder)
    return f"nothing can be written into {folder} ({trouble}); make room there" if trouble else ""


def _journal(settings: Settings) -> list[Finding]:
    """How big it is, and until when there is room."""
    if not wiring.journal_folders(settings):
        return []
    room = journals.room(settings, journals.opened(settings))
    text = room.words(settings.journal_keep)
    mark: Mark = "ok"
    if not room.left:
        mark, text = "red", f"full, nothing is acknowledged: {text}; make room on its disk, or set CANHMAN_JOURNAL_MAX or CANHMAN_JOURNAL_KEEP"
    elif room.is_short(settings.journal_keep):
        mark, text = "warn", f"{text}; make room on its disk, or keep less (CANHMAN_JOURNAL_KEEP, CANHMAN_JOURNAL_MAX)"
    found = [Finding(part="journal", mark=mark, text=text)]
    damaged = sum(beat.figures.get("journal_damaged_bytes", 0) for beat in heartbeat.ingests(wiring.data_folder(settings)).values())
    if damaged:
        text = f"{damaged} damaged bytes were skipped; canhman journal verify names what is lost"
        found.append(Finding(part="journal", mark="red", text=text))
    return found


def _ingest(settings: Settings) -> list[Finding]:
    beats = heartbeat.ingests(wiring.data_folder(settings))
    if settings.broker_address.embedded or not broker_record.workers(settings):
        return _one_ingest(settings, "ingest", beats.get("ingest"))
    names = [heartbeat.ingest_name(worker) for worker in broker_record.workers(settings)]
    if (alone := beats.get("ingest")) is not None and alone.runs:
        names.insert(0, "ingest")
    return [finding for name in names for finding in _one_ingest(settings, name, beats.get(name))]


def _silent(settings: Settings, name: str, beat: heartbeat.Heartbeat | None) -> list[Finding]:
    """A service whose last word is old though it runs, or may run."""
    why = heartbeat.why_silent(wiring.data_folder(settings), beat) if beat is not None and not beat.is_fresh else ""
    return [Finding(part=name, mark="red", text=why)] if why else []


def _one_ingest(settings: Settings, name: str, beat: heartbeat.Heartbeat | None) -> list[Finding]:
    if silent := _silent(settings, name, beat):
        return silent
    if (beat is None or not beat.is_fresh) and name != "ingest":  # the others do not get its share before the broker forgets it
        silent_h = beat.age_s / 3600 if beat is not None else 0.0
        text = f"it does not run (CANHMAN_WORKER={name.removeprefix('ingest-')} canhman ingest): its share of the messages waits for it at the broker, "
        text += f"and is lost in {max(0.0, 24 - silent_h):.0f} h" if beat is not None else "and is lost after 24 h"
        return [Finding(part=name, mark="red" if silent_h > 1 else "warn", text=text)]
    if beat is None or not beat.is_fresh:
        if settings.broker_address.embedded:  # nobody takes what devices send: a broker would keep it
            why = "canhman ingest or canhman up; as a service: systemctl start canhman, and journalctl -u canhman says why it ended"
            return [Finding(part="ingest", mark="red", text=f"no ingest runs on this CANHMAN_DATA now, devices reach nobody ({why})")]
        why = "canhman ingest; as a service: systemctl start canhman-ingest, and journalctl -u canhman-ingest says why it ended"
        return [Finding(part="ingest", mark="warn", text=f"no ingest runs on this CANHMAN_DATA now; the broker keeps what devices send ({why})")]
    if beat.troubles:
        return [Finding(part=f"{name}: {part}", mark="red", text=trouble) for part, trouble in sorted(beat.troubles.items())]
    behind = beat.figures.get("bytes_behind", 0)
    text = f"{behind} bytes of the journal not stored yet" if behind else "everything in the journal is stored"
    found = [Finding(part=name, mark="ok", text=f"process {beat.pid}, {text}{_heard(beat.figures)}", figures=beat.figures)]
    if lost := beat.figures.get("broker_sessions_lost"):
        text = f"the broker had forgotten ingest's session {counted(lost, 'time')} since ingest started, and with it what devices sent while ingest was away"
        found.append(Finding(part=name, mark="warn", text=f"{text}: does it keep sessions (persistence true)? canhman devices gaps names what is missing"))
    if (quiet_s := beat.figures.get("quiet_s", 0)) >= QUIET_S:
        text = f"no message has come for {quiet_s / 3600:.0f} h: are all devices silent, or does their way end before us (a bridge, a network, its rules)?"
        found.append(Finding(part=name, mark="warn", text=text))
    return found


def _heard(figures: Mapping[str, int]) -> str:
    """How a word of ingest to itself goes, which alone tells that what devices send would reach it."""
    if "broker_connected" not in figures:
        return ""
    if "broker_echo_ms" in figures:
        return f"; it hears itself through the broker within {figures['broker_echo_ms']} ms"
    return "; whether it hears what is published is not known yet: its account has had no word of its own back (canhman broker sync lets it publish one)"


def _services(settings: Settings) -> list[Finding]:
    """The services behind ingest, as they last spoke; one that never ran here is no finding."""
    found: list[Finding] = []
    words: dict[str, str] | None = None
    for name in ("forecast", "alerts", "serve"):
        beat = heartbeat.read(wiring.data_folder(settings), name)
        if beat is None:
            continue
        if silent := _silent(settings, name, beat):
            found += silent
        elif not beat.is_fresh:
            found.append(Finding(part=name, mark="warn", text=f"it ran here and does not now (canhman {name}, or canhman up for all)"))
        elif beat.troubles:
            found += [Finding(part=f"{name}: {part}", mark="red", text=trouble) for part, trouble in sorted(beat.troubles.items())]
        else:
            words = service_lines.lines(settings) if words is None else words
            found.append(Finding(part=name, mark="ok", text=f"{words[name]} (process {beat.pid})", figures=beat.figures))
    return found


def _models(settings: Settings) -> list[Finding]:
    speaks, unread, minded = model_checks.look(settings)
    found = [Finding(part="models", mark="red", text=trouble) for trouble in unread]
    found += [Finding(part="models", mark="warn", text=trouble) for trouble in minded]
    return [*_ok("models", speaks), *found]


def _broker(settings: Settings) -> list[Finding]:
    address = settings.broker_address
    where = f"{address.host}:{address.port}"
    found: list[Finding] = []
    certified = ""
    if address.embedded and address.tls:
        listener_tls.server_context(settings)  # as the service reads it: as red there as here
        if _runs(settings):
            seen = listener_tls.look(settings)
            certified = f"; its certificate is for {seen.names}"
            found = [Finding(part="broker", mark="warn", text=seen.doubt)] if seen.doubt else []
            if not seen.is_for_here:  # devices connect by another name than we could here
                return [*_ok("broker", f"our listener {where} answers{certified}"), *found]
    elif address.embedded and settings.enrol == "closed" and _runs(settings):
        listener_tls.knock(settings)
    if address.embedded and not address.tls and settings.tls_cert is not None:
        found = [Finding(part="broker", mark="warn", text="CANHMAN_TLS_CERT is set, and CANHMAN_BROKER=embedded://… is plain: write embeddeds:// for TLS")]
    if address.embedded and settings.enrol == "closed" and _runs(settings):  # no log-in that must fail: it would stand in the log like an attack
        return [*_ok("broker", f"our listener {where} answers (CANHMAN_ENROL=closed: there is no join key to log in with){certified}"), *found]
    if address.embedded:
        with wiring.registry(settings) as (directory, _):
            client = _client(settings, directory)
    else:
        client = wiring.publisher(settings, client_id="canhman-doctor", user=address.user, password=wiring.broker_password(settings), window=1)
    try:
        asyncio.run(_knock(client))
    except CanhManError as error:
        if address.embedded and not _runs(settings):
            return [*found, Finding(part="broker", mark="warn", text=f"our listener {where} is closed while no ingest runs")]
        return [Finding(part="broker", mark="red", text=str(error))]
    if address.embedded:
        return [*_ok("broker", f"{where} lets us in{certified}"), *found]
    return [*_ok("broker", f"{where} lets us in"), *_dropped(settings), *_session(settings)]


def _session(settings: Settings) -> list[Finding]:
    """Whether the broker keeps for ingest what devices send while it is away. One that forgot is mended at once: each hour counts."""
    if settings.broker_address.user != INGEST_USER or _runs(settings):  # a running ingest holds it
        return []
    folder = broker_record.read(settings).folder
    again = f"canhman broker init{f' --folder {shlex.quote(folder)}' if folder else ''}"
    if not broker_record.has_session(settings):
        text = "ingest's session was never made here: what devices send is acknowledged by the broker and lost; " + again
        return [Finding(part="broker", mark="red", text=text)]
    if asyncio.run(broker.make_sessions(settings, wiring.broker_password(settings), workers=broker_record.workers(settings), wait_s=0)):
        return []
    text = "it had lost ingest's session (was its queue folder emptied?), and what devices sent since; the session is made again"
    return [Finding(part="broker", mark="red", text=text)]


def _accounts(settings: Settings) -> list[Finding]:
    """Devices that were added, or got another password, since the last `broker sync`."""
    folder = broker_record.read(settings).folder
    if settings.broker_address.embedded or not folder:
        return []
    with wiring.registry(settings) as (directory, _):
        snapshot = directory.snapshot
        behind = broker.not_synced(snapshot, settings, Path(folder))
    if not behind:
        return _reloaded(settings, Path(folder))
    devices = {broker_user(d.id) for d in snapshot.devices}
    named = [name for name in behind if name in devices] or behind  # a new device changes the rules of its org's join key too
    what = "device" if named is not behind or devices.issuperset(behind) else "account"
    names = ", ".join(named[:5]) + (" …" if len(named) > 5 else "")
    count = f"1 {what} is" if len(named) == 1 else f"{len(named)} {what}s are"
    text = f"{count} not in Mosquitto's files as registered: {names}; canhman broker sync --folder {shlex.quote(folder)}, then systemctl reload mosquitto"
    return [Finding(part="accounts", mark="warn", text=text)]


def _reloaded(settings: Settings, folder: Path) -> list[Finding]:
    """Whether Mosquitto has read the files as they stand: only then it knows today's password of an account that may do nothing."""
    login = broker.look_login(settings, folder)
    if login is None:
        return []
    address = settings.broker_address
    taken = lets_in(
        address.host,
        address.port,
        client_id="canhman-doctor-files",
        username=login[0],
        password=login[1],
        tls=address.tls,
        tls_ca=str(settings.broker_ca) if settings.broker_ca else None,
    )
    if taken is False:  # None, no answer, is another check's finding
        text = "Mosquitto has not read its files since the last canhman broker sync or init: systemctl reload mosquitto"
        return [Finding(part="accounts", mark="warn", text=text)]
    return []


def _dropped(settings: Settings) -> list[Finding]:
    """What the broker itself says it acknowledged and then dropped.

    Mosquitto tells it for a minute after it changed; ingest listens all the time and says it in its heartbeat.
    """
    address = settings.broker_address
    count = read_retained(
        address.host,
        address.port,
        BROKER_STATE,
        client_id="canhman-doctor-look",
        username=address.user,
        password=wiring.broker_password(settings),
        tls=address.tls,
        tls_ca=str(settings.broker_ca) if settings.broker_ca else None,
    )
    if count not in (None, "", "0"):
        text = f"it has dropped {count} messages since it started, after acknowledging them: its queue is too small; use the files of canhman broker init"
        return [Finding(part="broker", mark="red", text=text)]
    return []


def _client(settings: Settings, directory: Directory) -> PahoPublisher:
    org = directory.snapshot.orgs[0]
    user, password = wiring.login(settings, org.id, org)
    return wiring.publisher(settings, client_id="canhman-doctor", user=user, password=password, window=1)


def _runs(settings: Settings) -> bool:
    return broker.ingest_runs(settings)


async def _knock(client: PahoPublisher) -> None:
    try:
        await client.open()
    finally:
        await client.close()


_CHECKS: dict[str, Callable[[Settings], list[Finding]]] = {
    "config": _config,
    "data": _data,
    "database": _database,
    "broker": _broker,
    "accounts": _accounts,
    "journal": _journal,
    "ingest": _ingest,
    "store": _store,
    "services": _services,
    "models": _models,
}
