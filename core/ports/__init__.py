"""Every door to the outside: what the rest of the code may ask of brokers, journal, store and database.

Ports are async; the functions between them are sync and pure. Each port has one conformance test class, run against
every adapter. All times are int ms since 1970 UTC unless a name says otherwise.
"""

from __future__ import annotations

from core.ports.alerts import Alerts
from core.ports.deadletters import DeadLetters
from core.ports.enrolment import Enrolment
from core.ports.forecasts import Forecasts, ModelFiles, Records
from core.ports.http import Http
from core.ports.identities import Identities
from core.ports.journal import Journal, Slice
from core.ports.messages import Delivery, MessageSource, Publisher
from core.ports.mirror import Mirror
from core.ports.people import People
from core.ports.processes import Cursors, Leases, SimClockRow
from core.ports.redecodes import Redecodes
from core.ports.registry import AuditRow, Registry, RegistrySnapshot
from core.ports.states import States
from core.ports.store import RefusedRow, SeriesStore

__all__ = [
    "Alerts",
    "AuditRow",
    "Cursors",
    "DeadLetters",
    "Delivery",
    "Enrolment",
    "Forecasts",
    "Http",
    "Identities",
    "Journal",
    "Leases",
    "MessageSource",
    "Mirror",
    "ModelFiles",
    "People",
    "Publisher",
    "Records",
    "Redecodes",
    "RefusedRow",
    "Registry",
    "RegistrySnapshot",
    "SeriesStore",
    "SimClockRow",
    "Slice",
    "States",
]
