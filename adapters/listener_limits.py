"""What one address, one connection and one guesser may ask of the listener: token buckets and counts, without I/O.

Addresses are shared: behind one of a mobile network stand thousands of devices. So nothing here refuses a device because
another one behind the same address does wrong; what an address may not is fill the listener with strangers, who have not
logged in, and guess passwords without end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address


class Bucket:
    """`rate` tokens a second, `burst` of them at most. Taking is never refused: it says how long to wait before the next."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at = 0.0

    def take(self, amount: float, now: float) -> float:
        """Take `amount`; seconds until the debt is paid, 0 where there is none."""
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._rate) - amount
        self._at = now
        return max(0.0, -self._left / self._rate)

    def full(self, now: float) -> bool:
        """Whether nothing was taken for long enough."""
        return self._left + (now - self._at) * self._rate >= self._burst


def address_key(host: str) -> str:
    """Who counts as one address: an IPv4 address (as it is when it comes over IPv6, too), the /64 network of an IPv6 one."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"


@dataclass(slots=True)
class _Address:
    bucket: Bucket
    open: int = 0
    strangers: int = 0


@dataclass(slots=True, kw_only=True)
class Addresses:
    """Connections by address, and how fast new ones come. `enter` for each, then `known` at its log-in, `leave` at its end."""

    most: int  # connections of one address
    most_strangers: int  # of those, not logged in
    rate: float  # new ones a second, waited for rather than refused
    burst: float
    _known: dict[str, _Address] = field(default_factory=dict)
    _tidy_at: int = 1000

    def enter(self, key: str, now: float) -> tuple[str, float]:
        """A new connection: why it is refused (empty: it is not), and how long it is to wait before it is read."""
        address = self._known.get(key)
        if address is None:
            self._tidy(now)
            address = self._known[key] = _Address(Bucket(self.rate, self.burst))
        address.open += 1
        address.strangers += 1
        if address.open > self.most:
            return f"{self.most} connections are the most of one address", 0.0
        if address.strangers > self.most_strangers:
            return f"{self.most_strangers} connections that have not logged in are the most of one address", 0.0
        return "", address.bucket.take(1, now)

    def known(self, key: str) -> None:
        """One of its strangers has logged in."""
        self._known[key].strangers -= 1

    def leave(self, key: str, *, stranger: bool) -> None:
        """A connection is gone."""
        address = self._known[key]
        address.open -= 1
        address.strangers -= stranger

    def _tidy(self, now: float) -> None:
        """Forget addresses without connections that have been quiet; seldom, for it looks at all."""
        if len(self._known) >= self._tidy_at:
            self._known = {k: a for k, a in self._known.items() if a.open or not a.bucket.full(now)}
            self._tidy_at = max(1000, 2 * len(self._known))


_FREE = 4  # wrong log-ins in a row that are answered at once
_LONGEST_S = 5.0
_UNHEARD = 12.0  # so many, and the next is refused unheard
_FORGET_S = 10.0  # one of a user's is forgotten
_MANY, _TOO_MANY = 60.0, 300.0  # an address's, of which one is forgotten each second
_TRUSTED_S = 86_400.0
_MOST = 20_000
_NAME = 64  # characters of a user name that are remembered; no device and no org has more


class Guesses:
    """Wrong log-ins by (address, user name) and by address: their answer comes later and later, then they are not looked at.

    A user name is never held against another address, nor an address against a user who logged in from there within a day: neither
    a guesser nor a broken device can lock others out, and a mended one waits some 20 seconds at most.
    """

    def __init__(self) -> None:
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}  # key → how many, when; the oldest first
        self._trusted: dict[tuple[str, str], float] = {}

    def unheard(self, address: str, username: str, now: float) -> bool:
        """Whether this log-in is refused without a look at its password."""
        key = address, username[:_NAME]
        if now - self._trusted.get(key, -_TRUSTED_S) < _TRUSTED_S:
            return False
        return self._level(key, _FORGET_S, now) >= _UNHEARD or self._level((address, ""), 1.0, now) >= _TOO_MANY

    def wrong(self, address: str, username: str, now: float) -> float:
        """Note a wrong one; seconds its answer is to wait."""
        by_user = self._add((address, username[:_NAME]), _FORGET_S, now)
        by_address = self._add((address, ""), 1.0, now)
        wait = 0.0 if by_user <= _FREE else 0.25 * 2.0 ** min(8.0, by_user - _FREE - 1)
        return min(_LONGEST_S, max(wait, 1.0 if by_address > _MANY else 0.0))

    def right(self, address: str, username: str, now: float) -> None:
        """A good log-in forgets the wrong ones of this user from there."""
        key = address, username[:_NAME]
        self._levels.pop(key, None)
        self._trusted.pop(key, None)
        self._trusted[key] = now
        _bound(self._trusted)

    def _level(self, key: tuple[str, str], forget_s: float, now: float) -> float:
        level, at = self._levels.get(key, (0.0, now))
        return max(0.0, level - (now - at) / forget_s)

    def _add(self, key: tuple[str, str], forget_s: float, now: float) -> float:
        level = self._level(key, forget_s, now) + 1
        self._levels.pop(key, None)
        self._levels[key] = level, now
        _bound(self._levels)
        return level


def _bound(table: dict[tuple[str, str], float] | dict[tuple[str, str], tuple[float, float]]) -> None:
    if len(table) > _MOST:
        del table[next(iter(table))]
