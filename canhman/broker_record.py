"""What was done at Mosquitto: a small file in CANHMAN_DATA, so that `sync` and `doctor` know where the files are and whether ingest's session was made."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from canhman import wiring
from canhman.settings import Settings
from core.errors import ConfigError

NAME = "broker.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerRecord:
    """`folder` of Mosquitto's files (empty: none was written), `session`: where ingest's stands (host:port; empty: nowhere yet).

    `workers`: where the session of each of several ingests stands, by its name.
    """

    folder: str = ""
    session: str = ""
    workers: Mapping[str, str] = field(default_factory=dict)


def read(settings: Settings) -> BrokerRecord:
    """The record; an empty one where nothing was done, or what is there cannot be read: then `broker init` is done once more, which harms nothing."""
    try:
        found = json.loads((settings.data / NAME).read_text("utf-8"))
        workers = {str(name): str(where) for name, where in found.get("workers", {}).items()}
        return BrokerRecord(folder=str(found["folder"]), session=str(found["session"]), workers=workers)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return BrokerRecord()


def remember_folder(settings: Settings, folder: Path) -> None:
    """Mosquitto's files are in `folder`. Raises ConfigError."""
    _write(settings, replace(read(settings), folder=str(folder.resolve())))


def remember_session(settings: Settings, worker: str = "") -> None:
    """The session of ingest, or of one `worker` of several, was made or taken up at CANHMAN_BROKER. Raises ConfigError."""
    record = read(settings)
    if worker:
        _write(settings, replace(record, workers={**record.workers, worker: where(settings)}))
    else:
        _write(settings, replace(record, session=where(settings)))


def forget_session(settings: Settings) -> None:
    """The session of the lone ingest was ended. Raises ConfigError."""
    _write(settings, replace(read(settings), session=""))


def forget_workers(settings: Settings) -> None:
    """A lone ingest reads from CANHMAN_BROKER again; the broker forgets the sessions of the others by itself. Raises ConfigError."""
    at = where(settings)
    _write(settings, replace(read(settings), workers={name: place for name, place in read(settings).workers.items() if place != at}))


def workers(settings: Settings) -> list[str]:
    """The names of the ingests that share CANHMAN_BROKER; empty where a lone one reads from it."""
    at = where(settings)
    return sorted(name for name, place in read(settings).workers.items() if place == at)


def where(settings: Settings) -> str:
    """host:port of CANHMAN_BROKER."""
    address = settings.broker_address
    return f"{address.host}:{address.port}"


def has_session(settings: Settings) -> bool:
    """Whether a session of ingest was ever made at CANHMAN_BROKER."""
    return not settings.broker_address.embedded and (read(settings).session == where(settings) or bool(workers(settings)))


def knows_session(settings: Settings, worker: str = "") -> bool:
    """Whether the session of the lone ingest, or of this `worker`, was ever made at CANHMAN_BROKER."""
    record = read(settings)
    return (record.workers.get(worker) if worker else record.session) == where(settings)


def _write(settings: Settings, record: BrokerRecord) -> None:
    if record == read(settings):
        return
    path = wiring.data_folder(settings) / NAME
    draft = path.with_name(f".{NAME}.{os.getpid()}.new")
    try:
        draft.write_text(json.dumps(asdict(record), ensure_ascii=False) + "\n", "utf-8")
        draft.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
