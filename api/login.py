"""Logging in and choosing a password: one path for known and unknown names, limited by name and by address.

A failure is counted in the database, so that a restart or a second process forgets nothing. Attempts under way count as
failures until they are over: a hundred at the same moment are no way around the limit.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import replace

from api.backend import Backend
from api.passwords import Hashing, fault
from api.problem import Problem, bad_value
from core.person import NAME, Person

WINDOW_MS = 15 * 60_000
PER_NAME = 5
PER_ADDRESS = 20
WAITING = 40  # attempts that wait for their turn, all in all
CLICK_MS = 60_000  # a second click on a slow phone comes within it; whoever goes back to the form later finds the password spent


class LogIns:
    """The door: `log_in` and `choose`, with the attempts under way."""

    def __init__(self, backend: Backend) -> None:
        self._people = backend.people
        self._system = backend.system
        self._hashing = Hashing()
        self._under_way: Counter[str] = Counter()
        self._spent: dict[tuple[str, int], tuple[str, int]] = {}  # which form a one-time password was spent by, and when

    async def log_in(self, name: str, password: str, address: str, *, form: str = "") -> Person:
        """The person, logged in. Raises Problem: 401 for any wrong pair, 429 for too many of them.

        `form` is the one page this came from, empty where it was none: a second click on it is the same log-in, not a second one. The browser
        drops the answer to the first click, and with it the only session a one-time password is good for.
        """
        name = name.strip().lower()
        async with _Attempt(self, name, address) as attempt:
            person = await self._people.person(name) if NAME.match(name) else None  # what no database takes is nobody's
            kept = person.password if person is not None and person.active else ""
            right = await self._hashing.fits(kept, password)
            if right and person is not None and person.must_change:
                right = await self._spend(person, form)
            await attempt.note(ok=right and person is not None)
            if not right or person is None:
                raise Problem(401, "wrong_password", headers={"WWW-Authenticate": 'Session realm="canhman"'})
            return person

    async def _spend(self, person: Person, form: str) -> bool:
        """Whether the one-time password was unused until now, or was spent by this very form a moment ago."""
        key = (person.name, person.generation)
        if await self._people.spend_password(*key):
            self._spent[key] = form, self._system.now_ms()
            while len(self._spent) > WAITING:
                del self._spent[next(iter(self._spent))]
            return True
        by, at = self._spent.get(key, ("", 0))
        return bool(form) and by == form and self._system.now_ms() - at <= CLICK_MS

    async def choose(self, person: Person, old: str, new: str, address: str) -> Person:
        """Another password for `person`, who stays logged in by a new cookie while all older ones end. Raises Problem."""
        async with _Attempt(self, person.name, address) as attempt:
            if not await self._hashing.fits(person.password, old):
                await attempt.note(ok=False)
                raise Problem(403, "wrong_old", parameter="old")
            why = "same" if new == old else fault(person.name, new)
            if why:
                raise bad_value("new", None, must=f"password.{why}")
            changed = replace(person, password=await self._hashing.hash_of(new), must_change=False, generation=person.generation + 1)
            await self._people.put_person(changed, actor=person.name, why="chose a password")
            await attempt.note(ok=True)
            return changed

    async def hash_of(self, password: str) -> str:
        """The hash of a new password, in turn."""
        return await self._hashing.hash_of(password)


class _Attempt:
    """One attempt: refused where too many failed, counted as failed while it lasts."""

    def __init__(self, door: LogIns, name: str, address: str) -> None:
        self._door = door
        self._name = name
        self._name_key = f"name:{name[:64]}"
        self._address_key = f"address:{place_of(address)}"

    async def __aenter__(self) -> _Attempt:
        door = self._door
        under_way = door._under_way
        if under_way.total() >= 2 * WAITING:
            raise Problem(503, "busy", headers={"Retry-After": "5"})
        for key in self._keys:
            under_way[key] += 1
        try:
            failed = await door._people.failed_logins(self._keys, door._system.now_ms() - WINDOW_MS)
            for key, most in zip(self._keys, (PER_NAME, PER_ADDRESS), strict=True):
                if failed.get(key, 0) + under_way[key] > most:
                    raise Problem(429, "too_many", headers={"Retry-After": str(WINDOW_MS // 1000)}, minutes=WINDOW_MS // 60_000)
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    async def note(self, *, ok: bool) -> None:
        """Write down how it ended; a good one forgets the failures of its name, never those of its address."""
        await self._door._people.note_login(self._keys, self._door._system.now_ms(), ok=ok, name=self._name if ok else "")

    @property
    def _keys(self) -> tuple[str, str]:
        return self._name_key, self._address_key

    def _leave(self) -> None:
        for key in self._keys:
            self._door._under_way[key] -= 1
            if not self._door._under_way[key]:
                del self._door._under_way[key]


def place_of(address: str) -> str:
    """What is limited: an IPv4 address, the /64 of an IPv6 one (a household has that many), else the text."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False).network_address) + "/64"
    return str(found)
