"""docs/settings.md names which command reads which setting, found in the code: what commands really read must be among it."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import pytest
from servers.front import Front

from canhman.settings import Settings
from deploy.settings_read import readers

READERS = cache(readers)  # seconds: read when a test asks, not when tests are looked for
# As they come in a new installation: each works without a server, or says in one line that there is none.
CALLS = [
    ("migrate",),
    ("orgs", "add", "vithanh", "--name", "Vị Thanh"),
    ("orgs", "join-key", "vithanh"),
    ("devices", "add", "kl01", "--station", "kenh-lau", "--name", "Kênh Lầu"),
    ("devices", "approve", "kl99"),
    ("devices", "list"),
    ("stations", "list"),
    ("deadletters", "list"),
    ("users", "list"),
    ("forecast", "--once"),
    ("judge", "--once"),
    ("alerts", "--list"),
    ("broker", "sync", "--folder", "broker"),
    ("publish", "kl01", "water.ec=2", "--wait", "0"),
    ("doctor",),
]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The settings read since, but for the checks of the environment at the start of every command."""
    found: set[str] = set()
    get = Settings.__getattribute__

    def noted(self: Settings, name: str) -> Any:
        if name in READERS() and sys._getframe(1).f_code.co_name != "read_settings":
            found.add(name)
        return get(self, name)

    monkeypatch.setattr(Settings, "__getattribute__", noted)
    return found


@pytest.mark.sockets
@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_what_a_command_reads_is_in_the_page(front: Front, read: set[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    """In a new installation; what it reads only in other ones is in the page too."""
    monkeypatch.chdir(front.data.parent)
    front.ok("migrate")
    read.clear()
    front(*words)
    assert read
    assert {name for name in read if words[0] not in READERS()[name]} == set()


def test_every_setting_is_read_by_something() -> None:
    """A setting nobody reads is none."""
    assert [name for name, commands in READERS().items() if not commands] == []
