"""The People port over SQL: audited without a password, a one-time password good once, never without an admin."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from adapters.sql import SqlDatabase, open_database
from core.clock import Clock
from core.errors import ConfigError, ConflictError
from core.person import Person

LAN = Person(name="lan", org="default", role="officer", password="$argon2id$first")
ADMIN = Person(name="admin", org="default", role="admin", password="$argon2id$admin")


def put(database: SqlDatabase, person: Person, *, actor: str = "root", why: str = "") -> Person:
    asyncio.run(database.put_person(person, actor=actor, why=why))
    return get(database, person.name)


def get(database: SqlDatabase, name: str = "lan") -> Person:
    found = asyncio.run(database.person(name))
    assert found is not None
    return found


def spend(database: SqlDatabase, person: Person) -> bool:
    return asyncio.run(database.spend_password(person.name, person.generation))


def failed(database: SqlDatabase, *keys: str, since: int = 0) -> dict[str, int]:
    return asyncio.run(database.failed_logins(keys, since))


def note(database: SqlDatabase, *keys: str, at: int = 100, ok: bool = False, name: str = "") -> None:
    asyncio.run(database.note_login(keys, at, ok=ok, name=name))


# ---------------------------------------------------------------- accounts


def test_read_back(url: str, database: SqlDatabase, clock: Clock) -> None:
    """Every field, dated by the clock, by name, after a restart too; nobody is None."""
    put(database, LAN)
    put(database, ADMIN)
    again = open_database(url)
    assert asyncio.run(again.people()) == [replace(p, created_at=clock.now_ms()) for p in (ADMIN, LAN)]
    assert asyncio.run(again.person("lan")) == replace(LAN, created_at=clock.now_ms())
    assert asyncio.run(again.person("nobody")) is None
    again.close()


@pytest.mark.parametrize(
    ("person", "error", "words"),
    [
        (replace(LAN, name="Lan"), ConfigError, "person name 'Lan' is not allowed"),
        (replace(LAN, name=""), ConfigError, "is not allowed"),
        (replace(LAN, name="x" * 33), ConfigError, "is not allowed"),
        (replace(LAN, role="public"), ConfigError, "role 'public' must be one of officer, admin"),
        (replace(LAN, org="absent"), ConflictError, "org 'absent', which is not registered"),
    ],
)
def test_refused(database: SqlDatabase, person: Person, error: type[Exception], words: str) -> None:
    """A name, role or org that cannot be is one line, and changes nothing."""
    with pytest.raises(error, match=words):
        put(database, person)
    assert asyncio.run(database.people()) == []
    assert asyncio.run(database.audit()) == []


def test_audit_without_passwords(database: SqlDatabase) -> None:
    """Who, what and why; of a password and its hash only that it is set or changed; no row where nothing changes."""
    lan = put(database, LAN, why="new")
    put(database, lan)
    lan = put(database, replace(lan, password="$argon2id$second", must_change=False), actor="lan")
    put(database, replace(lan, role="admin"), actor="root")
    rows = asyncio.run(database.audit())
    assert [(r.actor, r.kind, r.subject, r.why) for r in rows] == [
        ("root", "person", "lan", ""),
        ("lan", "person", "lan", ""),
        ("root", "person", "lan", "new"),
    ]
    assert not any(secret in r.before + r.after for r in rows for secret in ("argon2", "first", "second"))
    assert '"password": "set"' in rows[2].after
    assert rows[2].before == ""
    assert '"password": "changed"' in rows[1].after
    assert '"password": "set"' in rows[0].after
    assert '"role": "admin"' in rows[0].after


@pytest.mark.parametrize("change", [{"password": "$argon2id$new"}, {"role": "admin"}, {"active": False}])
def test_sessions_end_whatever_the_caller_says(database: SqlDatabase, change: dict[str, object]) -> None:
    """A new password, role or a closed account raises the generation by one; it never falls; other changes leave it."""
    lan = put(database, LAN)
    assert put(database, replace(lan, must_change=False)).generation == 1
    assert put(database, replace(get(database), **change)).generation == 2  # type: ignore[arg-type]  # values of several types
    assert put(database, replace(get(database), generation=1, must_change=True)).generation == 2
    assert put(database, replace(get(database), generation=3)).generation == 3


def test_the_callers_own_step_is_not_doubled(database: SqlDatabase) -> None:
    """Who raises the generation with the password finds the one they gave."""
    lan = put(database, LAN)
    assert put(database, replace(lan, password="$argon2id$new", generation=2)).generation == 2


@pytest.mark.parametrize("change", [{"active": False}, {"role": "officer"}])
def test_the_last_admin_stays(database: SqlDatabase, change: dict[str, object]) -> None:
    """The only open admin account is neither closed nor demoted; with another one it may be; a closed one does not count."""
    admin = put(database, ADMIN)
    put(database, LAN)
    with pytest.raises(ConflictError, match="admin is the last admin"):
        put(database, replace(admin, **change))  # type: ignore[arg-type]  # values of several types
    assert get(database, "admin") == admin
    second = put(database, replace(ADMIN, name="second"))
    put(database, replace(second, active=False))
    with pytest.raises(ConflictError, match="admin is the last admin"):
        put(database, replace(admin, **change))  # type: ignore[arg-type]  # values of several types
    put(database, replace(second, active=True))
    put(database, replace(admin, **change))  # type: ignore[arg-type]  # values of several types
    with pytest.raises(ConflictError, match="second is the last admin"):
        put(database, replace(get(database, "second"), **change))  # type: ignore[arg-type]  # values of several types


def test_a_stale_change_takes_no_login_back(database: SqlDatabase) -> None:
    """last_login_at and created_at are not lost where somebody writes a person they read before."""
    lan = put(database, LAN)
    note(database, ok=True, name="lan", at=500)
    after = put(database, replace(lan, role="admin", created_at=1))
    assert (after.last_login_at, after.created_at) == (500, lan.created_at)


# ---------------------------------------------------------------- one-time passwords


def test_a_one_time_password_is_good_once(url: str, database: SqlDatabase) -> None:
    """True once, also over a restart; it must still be changed."""
    lan = put(database, LAN)
    assert spend(database, lan)
    assert get(database) == lan
    assert not spend(database, lan)
    again = open_database(url)
    assert not spend(again, lan)
    again.close()


def test_many_at_once_spend_it_once(database: SqlDatabase) -> None:
    """Of many who come with it at the same moment one is let in."""
    lan = put(database, LAN)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: spend(database, lan), range(24))) == 1


def test_what_else_cannot_be_spent(database: SqlDatabase) -> None:
    """A password of one's own, one of an older generation, of a closed account or of nobody."""
    lan = put(database, LAN)
    assert not asyncio.run(database.spend_password("nobody", 1))
    assert not asyncio.run(database.spend_password("lan", 2))
    lan = put(database, replace(lan, active=False))
    assert not spend(database, lan)
    lan = put(database, replace(lan, active=True, must_change=False))
    assert not spend(database, lan)


def test_only_another_password_can_be_spent_again(database: SqlDatabase) -> None:
    """A new one-time password is good once; a used one is not made good by another role."""
    lan = put(database, LAN)
    assert spend(database, lan)
    lan = put(database, replace(lan, role="admin"))
    assert not spend(database, lan)
    put(database, ADMIN)
    lan = put(database, replace(lan, role="officer", password="$argon2id$again"))
    assert spend(database, lan)
    assert not spend(database, lan)


# ---------------------------------------------------------------- failures


def test_failures_are_counted_per_key(url: str, database: SqlDatabase) -> None:
    """Since a time, that time included; a key of which nothing is known is 0; after a restart too."""
    note(database, "name:lan", "address:10.0.0.1", at=100)
    note(database, "name:lan", "address:10.0.0.2", at=200)
    again = open_database(url)
    assert failed(again, "name:lan", "address:10.0.0.1", "name:minh") == {"name:lan": 2, "address:10.0.0.1": 1, "name:minh": 0}
    assert failed(again, "name:lan", since=200) == {"name:lan": 1}
    assert failed(again, "name:lan", since=201) == {"name:lan": 0}
    assert failed(again) == {}
    again.close()


def test_a_good_login_forgets_the_names_failures(database: SqlDatabase) -> None:
    """And dates it; those of the address stay, or an account of one's own would open the way to others'."""
    lan = put(database, LAN)
    keys = ("name:lan", "address:10.0.0.1")
    for _ in range(3):
        note(database, *keys)
    note(database, "name:minh", "lan")
    note(database, *keys, at=300, ok=True, name="lan")
    assert failed(database, *keys, "name:minh", "lan") == {"name:lan": 0, "address:10.0.0.1": 3, "name:minh": 1, "lan": 0}
    assert get(database) == replace(lan, last_login_at=300)


def test_what_strangers_send(database: SqlDatabase) -> None:
    """A key of any length and content is counted; what is over a week old is forgotten."""
    long = "name:" + "x" * 5000
    note(database, long, "name:' OR 1=1", "name:a\0b", at=100)
    assert failed(database, long, "name:' OR 1=1", "name:a\0b") == {long: 1, "name:' OR 1=1": 1, "name:a\0b": 1}
    note(database, "other", at=100 + 8 * 86_400_000)
    assert failed(database, long) == {long: 0}
