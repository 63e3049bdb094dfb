"""The fault record in its short form: a few hundred readings a row, against real servers. `make faults` is the long one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.faults import run as suite
from bench.faults import world as worlds
from bench.faults.row import Scale

pytestmark = pytest.mark.servers

EVERY = suite.rows()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, bytecode: Path) -> Iterator[worlds.OurWorld]:
    """Mosquitto, InfluxDB and ingest with our own client."""
    world = worlds.make("own", tmp_path_factory.mktemp("own"), bytecode)
    yield world
    world.close()


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory, bytecode: Path) -> Iterator[worlds.OurWorld]:
    """Our listener and SQLite."""
    world = worlds.make("listener", tmp_path_factory.mktemp("listener"), bytecode)
    yield world
    world.close()


def loss_free(world: worlds.OurWorld, name: str) -> None:
    """A row in its short form: nothing acknowledged is lost, nothing is doubled."""
    seed = random.SystemRandom().randrange(10**6)
    try:
        outcome = EVERY[name].run(world, Scale(short=True, dice=random.Random(seed)), f"{name.replace('_', '-')[:12]}-")
    finally:
        world.down()
    assert (outcome.lost, outcome.doubled) == ((), ()), f"seed {seed}"
    assert outcome.acknowledged == outcome.published > 0


@pytest.mark.parametrize("name", ["broker_kills", "store_answers"])
def test_at_a_broker(broker: worlds.OurWorld, name: str) -> None:
    """What the broker handed over is stored once, whatever broker and store do."""
    loss_free(broker, name)


@pytest.mark.parametrize("name", ["torn_record", "network"])
def test_at_our_listener(listener: worlds.OurWorld, name: str) -> None:
    """What a device was told is kept is stored once."""
    loss_free(listener, name)


def test_a_record_damaged_on_disk_is_named(listener: worlds.OurWorld) -> None:
    """Exactly the damaged records are lost, nothing is doubled, and the numbers of the devices name each of them."""
    outcome = EVERY["damaged_record"].run(listener, Scale(short=True, dice=random.Random(1)), "damaged-")
    assert len(outcome.lost) == 3
    assert not outcome.doubled
    assert "exactly those are lost" in outcome.note
    assert "NOT" not in outcome.note
    assert "`seq` report names 3" in outcome.note


def test_a_full_disk_is_no_loss(listener: worlds.OurWorld) -> None:
    """Nothing is acknowledged while it is full, and all is stored afterwards. The last here: its journal lies on another disk."""
    loss_free(listener, "disk_full")
