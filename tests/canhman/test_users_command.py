"""`canhman users`: accounts from the command line, which makes the first one."""

from __future__ import annotations

import re

from servers.front import Front

from api import passwords
from core.person import Person


def people(front: Front) -> dict[str, Person]:
    """What the database holds."""
    return {p.name: p for p in front.database(lambda db: db.people())}


def password_in(out: str) -> str:
    """The password a command printed."""
    found = re.search(r"^password (\S+)$", out, re.MULTILINE)
    assert found is not None
    return found[1]


def test_add_prints_a_one_time_password_that_fits_and_keeps_only_its_hash(front: Front) -> None:
    """The first account of an installation is made here; the password is in no file."""
    front.ok("migrate")
    empty = front("users", "list")
    assert "canhman users add NAME --role admin" in empty.out
    done = front("users", "add", "minh", "--role", "admin")
    assert done.code == 0
    password = password_in(done.out)
    minh = people(front)["minh"]
    assert (minh.role, minh.org, minh.must_change, minh.active) == ("admin", "default", True, True)
    assert passwords.fits(minh.password, password)
    assert password.encode() not in (front.data / "registry.db").read_bytes()
    assert "not shown again" in done.err


def test_list_shows_everybody_and_no_hash(front: Front) -> None:
    """As a table and as JSON."""
    front("users", "add", "minh", "--role", "admin")
    table = front("users", "list")
    assert "argon2" not in table.out
    assert re.search(r"minh\s+admin\s+default\s+open\s+one-time", table.out)
    assert front("users", "list", "--json").json == [
        {"name": "minh", "org": "default", "role": "admin", "active": True, "must_change": True, "last_login_at": None}
    ]


def test_what_cannot_be_an_account_is_one_line(front: Front) -> None:
    """A taken name, a bad name, an unknown org: exit 1, one line; an unknown role is used wrongly, nothing made."""
    front("users", "add", "minh", "--role", "admin")
    assert "canhman users reset minh" in front("users", "add", "minh", "--role", "officer").line
    assert people(front)["minh"].role == "admin"
    assert "Tám" in front("users", "add", "Tám", "--role", "officer").line
    assert "officer, admin" in front("users", "add", "tam", "--role", "king").usage
    assert "officer, admin" in front("users", "role", "minh", "king").usage
    assert "canhman orgs" in front("users", "add", "tam", "--role", "officer", "--org", "nowhere").line
    assert set(people(front)) == {"minh"}


def test_disable_enable_role_and_reset_end_the_sessions(front: Front) -> None:
    """Each change raises the generation, by which every session of the account ends."""
    front("users", "add", "minh", "--role", "admin")
    front("users", "add", "lan", "--role", "officer")
    generations = [people(front)["lan"].generation]
    for words in (("disable", "lan"), ("enable", "lan"), ("role", "lan", "admin"), ("reset", "lan")):
        assert front("users", *words).code == 0
        generations.append(people(front)["lan"].generation)
    assert generations == sorted(set(generations))
    lan = people(front)["lan"]
    assert (lan.role, lan.active, lan.must_change) == ("admin", True, True)
    assert "nothing to change" in front("users", "enable", "lan").out
    assert people(front)["lan"].generation == generations[-1]


def test_a_reset_replaces_the_password(front: Front) -> None:
    """The old one no longer fits; the new one does."""
    old = password_in(front("users", "add", "minh", "--role", "admin").out)
    new = front("users", "reset", "minh", "--json").json
    kept = people(front)["minh"].password
    assert not passwords.fits(kept, old)
    assert passwords.fits(kept, new["password"])
    assert (new["name"], new["role"], new["org"]) == ("minh", "admin", "default")


def test_unknown_names_and_the_last_admin_are_told(front: Front) -> None:
    """The way out stands in the line."""
    front("users", "add", "minh", "--role", "admin")
    for words in (("disable", "nobody"), ("enable", "nobody"), ("role", "nobody", "admin"), ("reset", "nobody")):
        assert "canhman users list" in front("users", *words).line
    assert "last admin" in front("users", "disable", "minh").line
    assert "last admin" in front("users", "role", "minh", "officer").line
    assert people(front)["minh"].active


def test_every_change_is_in_the_audit_trail_without_a_password(front: Front) -> None:
    """Who did what to whom; of the password only that there is one."""
    front("users", "add", "minh", "--role", "admin")
    front("users", "add", "lan", "--role", "officer")
    front("users", "disable", "lan")
    rows = [r for r in front.database(lambda db: db.audit()) if r.kind == "person"]
    assert [(r.subject, r.why) for r in rows] == [("lan", "closed"), ("lan", "added"), ("minh", "added")]
    assert all(r.actor.startswith("cli") for r in rows)
    assert not any("argon2" in r.after + r.before for r in rows)
