"""The registry's rows: read whole, written through one function that checks, audits and counts the version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, Table, and_, insert, select, update

from adapters.sql import tables as t
from adapters.sql.engine import in_chunks
from adapters.sql.serials import take
from core.errors import ConflictError
from core.place import Alias, Deployment, Device, Join, Org, Station, Waterway
from core.ports import AuditRow, RegistrySnapshot
from registry.deployments import check_overlaps
from registry.items import Item, as_json, checked, id_of, kind_of

_ORDER = (Org, Waterway, Device, Station, Deployment)  # each names only those before it
_TABLES: dict[type[Any], Table] = {Org: t.org, Waterway: t.waterway, Device: t.device, Station: t.station, Deployment: t.deployment}
ItemT = TypeVar("ItemT", bound=Item)


def version(c: Connection) -> int:
    """The number of the last change."""
    return int(c.execute(select(t.serial.c.value).where(t.serial.c.name == "registry")).scalar_one())


def version_at_once(engine: Engine) -> int:
    """`version` of a SQLite file by the driver alone, a seventh of the time: ingest asks with every batch."""
    connection = engine.raw_connection()
    try:
        return int(connection.cursor().execute("SELECT value FROM serial WHERE name = 'registry'").fetchone()[0])
    finally:
        connection.close()


def snapshot(c: Connection) -> RegistrySnapshot:
    """Everything, each kind in the order of its ids."""
    return RegistrySnapshot(
        version=version(c),
        orgs=_all(c, Org),
        devices=_all(c, Device),
        stations=_all(c, Station),
        deployments=tuple(sorted(_all(c, Deployment), key=lambda d: (d.device, d.channel, d.start))),
        waterways=_all(c, Waterway),
    )


def audit_rows(c: Connection, limit: int) -> list[AuditRow]:
    """The newest changes first."""
    rows = c.execute(select(t.audit).order_by(t.audit.c.id.desc()).limit(limit))
    return [AuditRow(**row._mapping) for row in rows]


def audit(c: Connection, *, at: int, actor: str, kind: str, subject: str, before: str, after: str, why: str = "") -> None:
    """Append one row of the audit trail."""
    c.execute(insert(t.audit), [{"at": at, "actor": actor, "kind": kind, "subject": subject, "before": before, "after": after, "why": why}])


def put(c: Connection, items: Sequence[Item], *, actor: str, why: str, at: int) -> int:
    """Write what differs; an audit row each; the version rises by one where anything did."""
    # on PostgreSQL this row is the lock that makes writers of the registry take turns: overlaps are checked against what stays
    c.execute(select(t.serial.c.value).where(t.serial.c.name == "registry").with_for_update())
    touched: list[Deployment] = []
    waterways: list[Waterway] = []
    stations: list[Station] = []
    wrote = False
    for item in sorted(map(checked, items), key=lambda i: _ORDER.index(type(i))):
        before = _current(c, item)
        if before == item:
            continue
        _check_change(before, item)
        _check_references(c, item)
        _write(c, before, item)
        audit(c, at=at, actor=actor, kind=kind_of(item), subject=id_of(item), before=as_json(before) if before else "", after=_after(before, item), why=why)
        wrote = True
        if isinstance(item, Deployment):
            touched.append(item)
        elif isinstance(item, Waterway):
            waterways.append(item)
        elif isinstance(item, Station):
            stations.append(item)
    _check_joins(c, waterways)
    _check_intakes(c, stations)
    check_overlaps(_neighbours(c, touched))
    return take(c, "registry", 1) if wrote else version(c)


def _after(before: Item | None, after: Item) -> str:
    text = as_json(after)
    if isinstance(before, Device) and isinstance(after, Device) and after.credential not in ("", before.credential) and before.credential:
        return text.replace('"credential": "set"', '"credential": "changed"')  # both would read "set" and hide the change
    return text


def _check_change(before: Item | None, after: Item) -> None:
    if isinstance(before, Device | Station) and isinstance(after, Device | Station) and before.org != after.org:
        raise ConflictError(f"{kind_of(after)} {after.id} belongs to org {before.org}: ids are never reused for another org ({after.org}), choose another id")
    if isinstance(before, Org) and isinstance(after, Org) and after.join_generation < before.join_generation:
        raise ConflictError(
            f"org {after.id}: join_generation {after.join_generation} is below {before.join_generation}: a join key that was replaced never comes back"
        )


def _check_references(c: Connection, item: Item) -> None:
    """What `item` names must be registered, and of one org."""
    who = f"{kind_of(item)} {id_of(item)}"
    if isinstance(item, Device | Station):
        _need(c, t.org, item.org, f"{who} names org {item.org!r}, which is not registered: add it with canhman orgs")
    if isinstance(item, Station) and item.waterway:
        _need(c, t.waterway, item.waterway, f"{who} names waterway {item.waterway!r}, which is not registered: see config/waterways.toml")
    if isinstance(item, Deployment):
        device = _need(c, t.device, item.device, f"{who} names device {item.device!r}, which is not registered: add it with canhman devices")
        station = _need(c, t.station, item.station, f"{who} names station {item.station!r}, which is not registered: add it with canhman stations")
        if device.org != station.org:
            raise ConflictError(f"device {item.device} is of org {device.org} and station {item.station} of org {station.org}: they must be of one org")


def _need(c: Connection, table: Table, id: str, otherwise: str) -> Row[Any]:
    found = c.execute(select(table).where(table.c.id == id)).one_or_none()
    if found is None:
        raise ConflictError(otherwise)
    return found


def _check_joins(c: Connection, waterways: Sequence[Waterway]) -> None:
    for w in waterways:  # at the end: two may name each other
        for join in w.joins:
            _need(c, t.waterway, join.waterway, f"waterway {w.id} joins {join.waterway!r}, which is not registered: give both at once")


def _check_intakes(c: Connection, stations: Sequence[Station]) -> None:
    for s in stations:  # at the end: a file may name the field before its intake
        if s.intake:
            intake = _need(c, t.station, s.intake, f"station {s.id} names intake {s.intake!r}, which is not registered: add it with canhman stations")
            if not intake.public and (s.public or intake.org != s.org):
                why = "the field is public" if intake.org == s.org else f"it is of org {intake.org}"
                raise ConflictError(f"station {s.id} names intake {s.intake!r}, which is not public while {why}: publish it first, or name another")
        if not s.public:  # whoever sees the field sees its water's verdict
            shown = c.execute(select(t.station.c.id).where(t.station.c.intake == s.id, (t.station.c.public | (t.station.c.org != s.org)))).scalars().all()
            if shown:
                raise ConflictError(
                    f"station {s.id} is the intake of {', '.join(sorted(shown))}, which others see: it cannot be private; name another intake there first"
                )


def _neighbours(c: Connection, touched: Sequence[Deployment]) -> list[Deployment]:
    """Every deployment that could overlap one of `touched`: those of the same device or station."""
    found: dict[int, Deployment] = {}
    for column, values in ((t.deployment.c.device, {d.device for d in touched}), (t.deployment.c.station, {d.station for d in touched})):
        for chunk in in_chunks(sorted(values)):
            for row in c.execute(select(t.deployment).where(column.in_(chunk))):
                found[row.id] = _item(Deployment, row)
    return list(found.values())


def _all(c: Connection, kind: type[ItemT]) -> tuple[ItemT, ...]:
    table = _TABLES[kind]
    return tuple(_item(kind, row) for row in c.execute(select(table).order_by(table.c.id)))


def _current(c: Connection, item: Item) -> Item | None:
    table = _TABLES[type(item)]
    row = c.execute(select(table).where(_is(table, item))).one_or_none()
    return None if row is None else _item(type(item), row)


def _is(table: Table, item: Item) -> Any:
    if isinstance(item, Deployment):
        return and_(table.c.device == item.device, table.c.channel == item.channel, table.c.start == item.start)
    return table.c.id == item.id


def _write(c: Connection, before: Item | None, item: Item) -> None:
    table, values = _TABLES[type(item)], asdict(item)
    if isinstance(item, Station):
        values["waterway"] = item.waterway or None
        values["intake"] = item.intake or None
    if before is None:
        c.execute(insert(table).values(values))
    else:
        c.execute(update(table).where(_is(table, item)).values(values))


def _item(kind: type[ItemT], row: Row[Any]) -> ItemT:
    values = dict(row._mapping)
    if kind is Deployment:
        del values["id"]
    elif kind is Station:
        values["waterway"] = values["waterway"] or ""
        values["intake"] = values["intake"] or ""
        values["aliases"] = tuple(Alias(**a) for a in values["aliases"])
    elif kind is Waterway:
        values["joins"] = tuple(Join(**j) for j in values["joins"])
    return kind(**values)
