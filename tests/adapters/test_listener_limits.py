"""What one address, one connection and one guesser may ask of the listener: laws of the counts, without I/O."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.listener_limits import _MOST, Addresses, Bucket, Guesses, address_key


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 200)), min_size=1, max_size=40))
def test_a_bucket_lets_through_its_rate_and_no_more(steps: list[tuple[float, float]]) -> None:
    """Who waits as told never takes more than burst + rate x time before the last taking, whatever the steps."""
    bucket, now, taken, start = Bucket(10.0, 100.0), 1000.0, 0.0, 1000.0
    for pause, amount in steps:
        now += pause
        assert taken <= 100.0 + 10.0 * (now - start) + 1e-6
        now += bucket.take(amount, now)
        taken += amount
    assert taken <= 100.0 + 10.0 * (now - start) + 1e-6


def test_a_clock_that_stands_gives_no_tokens() -> None:
    """Without time nothing comes back, and a wait is as long as the debt."""
    bucket = Bucket(2.0, 4.0)
    assert [bucket.take(2, 5.0) for _ in range(4)] == [0, 0, 1, 2]
    assert not bucket.full(6.9)
    assert bucket.full(9.0)


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9%eth0", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("somewhere", "somewhere"),
    ],
)
def test_what_counts_as_one_address(host: str, key: str) -> None:
    """Of IPv6 the network a customer gets: inside it a guesser has 2^64 addresses."""
    assert address_key(host) == key


def test_an_address_is_bounded_and_forgets() -> None:
    """Too many of one address, or too many strangers, are refused with a reason; another address is not; what is over is not kept."""
    addresses = Addresses(most=3, most_strangers=2, rate=1000.0, burst=1000.0)
    assert [bool(addresses.enter("a", 0.0)[0]) for _ in range(2)] == [False, False]
    assert "not logged in" in addresses.enter("a", 0.0)[0]
    addresses.leave("a", stranger=True)
    addresses.known("a")
    assert not addresses.enter("a", 0.0)[0]
    assert "3 connections" in addresses.enter("a", 0.0)[0]
    assert not addresses.enter("b", 0.0)[0]
    for n in range(5000):
        addresses.enter(f"x{n}", float(n))
        addresses.leave(f"x{n}", stranger=True)
    assert len(addresses._known) < 2000
    assert {"a", "b"} <= set(addresses._known)


def test_new_connections_of_an_address_wait_their_turn() -> None:
    """Faster than the rate is waited for, not refused."""
    addresses = Addresses(most=100, most_strangers=100, rate=10.0, burst=2.0)
    assert [addresses.enter("a", 0.0) for _ in range(4)] == [("", 0.0), ("", 0.0), ("", 0.1), ("", 0.2)]


def test_a_wrong_password_waits_longer_each_time_then_is_not_heard() -> None:
    """The first four are answered at once; then the answer waits up to 5 s; the thirteenth is not looked at, for some 20 s at most."""
    guesses = Guesses()
    waits = []
    while not guesses.unheard("a", "kl01", 0.0):
        waits.append(guesses.wrong("a", "kl01", 0.0))
    assert waits == [0, 0, 0, 0, 0.25, 0.5, 1, 2, 4, 5, 5, 5]
    assert guesses.unheard("a", "kl01", 0.0)
    assert not guesses.unheard("a", "kl01", 20.0)
    assert guesses.wrong("a", "kl01", 1000.0) == 0


def test_nobody_is_locked_out_by_another() -> None:
    """Another user behind the same address, and the same user at another address, are heard; so is one who logged in from there before."""
    guesses = Guesses()
    guesses.right("nat", "good", 0.0)
    for _ in range(50):
        guesses.wrong("nat", "kl01", 1.0)
    assert guesses.unheard("nat", "kl01", 1.0)
    assert not guesses.unheard("nat", "kl02", 1.0)
    assert not guesses.unheard("elsewhere", "kl01", 1.0)
    for n in range(400):
        guesses.wrong("nat", f"x{n}", 1.0)
        guesses.wrong("nat", "good", 1.0)
    assert guesses.unheard("nat", "kl02", 1.0)  # hundreds a second from there: a stranger waits
    assert not guesses.unheard("nat", "good", 1.0)
    assert not guesses.unheard("nat", "kl02", 600.0)
    guesses.right("nat", "kl01", 600.0)
    assert guesses.wrong("nat", "kl01", 600.0) == 1.0  # by the address alone


def test_guesses_do_not_fill_the_memory() -> None:
    """A sender that invents names is remembered within a bound."""
    guesses = Guesses()
    guesses.wrong("a", "z" * 60_000, 0.0)
    assert max(len(name) for _, name in guesses._levels) == 64
    for n in range(_MOST + 100):
        guesses.wrong("a", f"x{n}", 0.0)
        guesses.right("a", f"y{n}", 0.0)
    assert len(guesses._levels) <= _MOST
    assert len(guesses._trusted) <= _MOST
