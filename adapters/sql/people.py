"""Accounts and failed log-ins; the audit trail says of a password only whether there is one, or that it changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from adapters.sql import tables as t
from adapters.sql.engine import in_chunks
from adapters.sql.registry import audit
from core.errors import ConfigError, ConflictError
from core.person import NAME, ROLES, Person

_T = t.person
_F = t.login_failure
_KEPT_MS = 7 * 86_400_000  # no limit looks further back [ms]
_KEY_LENGTH = 160  # what strangers send is cut


def people(c: Connection) -> list[Person]:
    """All, by name."""
    return sorted((_person(row) for row in c.execute(select(_T))), key=lambda p: p.name)


def person(c: Connection, name: str) -> Person | None:
    """One of them."""
    row = c.execute(select(_T).where(_T.c.name == name)).one_or_none()
    return None if row is None else _person(row)


def put(c: Connection, new: Person, *, actor: str, why: str, at: int) -> None:
    """Insert or change, with an audit row where anything differs.

    `generation` never falls, and rises where sessions must end, whatever the caller said. `last_login_at` never goes back.
    """
    _check(new)
    # on PostgreSQL this row is the lock: two admins who close each other must take turns
    c.execute(select(t.serial.c.value).where(t.serial.c.name == "registry").with_for_update())
    before = person(c, new.name)
    if c.execute(select(t.org.c.id).where(t.org.c.id == new.org)).one_or_none() is None:
        raise ConflictError(f"person {new.name} names org {new.org!r}, which is not registered: add it with canhman orgs")
    if before is None:
        after = replace(new, created_at=new.created_at or at)
        c.execute(insert(_T).values(**asdict(after), spent=False))
    else:
        _keep_an_admin(c, before, new)
        ends = any(getattr(before, name) != getattr(new, name) for name in ("password", "role", "org", "active"))
        logins = [when for when in (before.last_login_at, new.last_login_at) if when is not None]
        after = replace(
            new,
            created_at=before.created_at,
            generation=max(new.generation, before.generation + ends),
            last_login_at=max(logins, default=None),
        )
        if after == before:
            return
        fresh = {"spent": False} if after.password != before.password else {}
        c.execute(update(_T).where(_T.c.name == new.name).values(**asdict(after), **fresh))
    audit(c, at=at, actor=actor, kind="person", subject=new.name, before=_json(before) if before else "", after=_json(after, before), why=why)


def spend_password(c: Connection, name: str, generation: int) -> bool:
    """True once per one-time password: where it is still to be changed, of this generation, of an open account, and unused."""
    unused = (_T.c.name == name, _T.c.generation == int(generation), _T.c.must_change, _T.c.active, ~_T.c.spent)
    return c.execute(update(_T).where(*unused).values(spent=True)).rowcount == 1


def failed_logins(c: Connection, keys: Sequence[str], since: int) -> dict[str, int]:
    """Failures per key at or after `since`; every key of `keys` is in the answer."""
    counts = dict.fromkeys(keys, 0)
    for chunk in in_chunks(sorted({_cut(key) for key in keys})):
        query = select(_F.c.key, func.count().label("n")).where(_F.c.key.in_(chunk), _F.c.at >= since).group_by(_F.c.key)
        found = {row.key: int(row.n) for row in c.execute(query)}
        counts |= {key: found[_cut(key)] for key in keys if _cut(key) in found}
    return counts


def note_login(c: Connection, keys: Sequence[str], at: int, *, ok: bool, name: str) -> None:
    """A failure counts per key. A good one forgets those of the name (`NAME` or `name:NAME`), never those of an address.

    Who holds an account must not be able to clear the address from which other names are tried.
    """
    if ok:
        c.execute(delete(_F).where(_F.c.key.in_([_cut(name), _cut(f"name:{name}")])))
        c.execute(update(_T).where(_T.c.name == name).values(last_login_at=int(at)))
        return
    c.execute(delete(_F).where(_F.c.at < int(at) - _KEPT_MS))
    rows = [{"key": key, "at": int(at)} for key in dict.fromkeys(map(_cut, keys))]
    if rows:
        c.execute(insert(_F), rows)


def _check(p: Person) -> None:
    if not NAME.match(p.name):
        raise ConfigError(f"person name {p.name!r} is not allowed: 1 to 32 of the letters a-z, digits and . _ -, beginning with a letter or digit")
    if p.role not in ROLES:
        raise ConfigError(f"person {p.name}: role {p.role!r} must be one of {', '.join(ROLES)}")


def _keep_an_admin(c: Connection, before: Person, after: Person) -> None:
    if not (before.role == "admin" and before.active) or (after.role == "admin" and after.active):
        return
    others = select(func.count()).select_from(_T).where(_T.c.role == "admin", _T.c.active, _T.c.name != before.name)
    if c.execute(others).scalar_one() == 0:
        raise ConflictError(f"person {before.name} is the last admin: make another one first")


def _cut(key: str) -> str:
    return key.replace("\0", "")[:_KEY_LENGTH]  # PostgreSQL takes no NUL


def _json(p: Person, before: Person | None = None) -> str:
    fields = asdict(p)
    changed = before is not None and before.password and before.password != p.password
    fields["password"] = "unset" if not p.password else "changed" if changed else "set"
    return json.dumps(fields, ensure_ascii=False, sort_keys=True)


def _person(row: Row[Any]) -> Person:
    values = dict(row._mapping)
    del values["spent"]
    return Person(**values)
