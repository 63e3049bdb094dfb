"""Publishing as devices do: a message from words on the command line, and connections for simulators."""

from __future__ import annotations

import asyncio
import difflib
import json
import math
import time as system_time
import uuid
from collections.abc import Iterable
from functools import partial

from adapters.mqtt_publisher import PahoPublisher
from canhman import terminal, wiring
from canhman.settings import Settings
from canhman.usage import UsageError, checked, instant
from core.clock import Clock, SystemClock
from core.errors import RefusedError, UnavailableError
from core.place import MAIN
from core.ports import Delivery
from core.quantities import QUANTITIES
from registry.broker_files import INGEST_USER
from registry.ids import check_device_id, check_slug

SHOWN = 5  # devices a line names


def message(readings: list[str], time: str) -> bytes:
    """A native message from `quantity=value` words, or the one JSON text given as it is, unchecked. Raises UsageError."""
    if len(readings) == 1 and readings[0].lstrip().startswith(("{", "[")):
        return readings[0].encode()
    values: dict[str, dict[str, float]] = {}
    for word in readings:
        name, equals, text = word.partition("=")
        channel, slash, quantity = name.rpartition("/")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not equals or not quantity or (slash and not channel) or not math.isfinite(value):
            raise UsageError(f"{word!r} is no reading; write for example water.ec=2.31 or d10/soil.moisture=0.31")
        _check_quantity(quantity)
        if slash:
            checked(partial(check_slug, "channel", channel))
        values.setdefault(channel if slash else MAIN, {})[quantity] = value
    body: dict[str, object] = {}
    if time:
        instant("--time", time)
        body["time"] = time
    else:
        now = system_time.time_ns()  # of the machine: boot and seq only have to be new each time
        body |= {"age_s": 0, "boot": now // 1_000_000_000, "seq": now // 1_000}
    main = values.pop(MAIN, {})
    if main:
        body["readings"] = main
    if values:
        body["channels"] = values
    return json.dumps(body).encode()


def topic(org: str, device: str) -> str:
    """Where `device` publishes. Raises UsageError for ids that cannot be."""
    checked(partial(check_slug, "--org", org))
    checked(partial(check_device_id, device))
    return f"canhman/{org}/{device}/telemetry"


def _check_quantity(name: str) -> None:
    if name not in QUANTITIES:
        near = difflib.get_close_matches(name, QUANTITIES, n=3)
        known = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(QUANTITIES)}"
        raise UsageError(f"no quantity is called {name!r}; {known}")


async def publish(settings: Settings, org: str, topic: str, payload: bytes, *, wait_s: float) -> Delivery:
    """Publish one message over a connection of its own."""
    _, login = await prepare(settings, org, making=False)
    client = publisher(settings, client_id=client_id("publish"), login=login, window=1)
    try:
        await wiring.patient(client.open, wait_s=wait_s, say=terminal.say)
        async with asyncio.timeout(wait_s + 10):
            return await client.publish(topic, payload)
    except RefusedError as error:
        if not login[0] or login[1]:
            raise
        raise RefusedError(f"{error}; CANHMAN_BROKER_PASSWORD is not set, and CANHMAN_BROKER logs in as {login[0]!r}") from error
    except TimeoutError as error:
        raise UnavailableError(f"no acknowledgement within {wait_s + 10:.0f} s: ingest may be stopped, or its journal full (`canhman doctor`)") from error
    finally:
        await client.close()


async def prepare(settings: Settings, org: str, *, making: bool = True) -> tuple[Clock, tuple[str, str]]:
    """The installation's clock, and (user name, password) of simulators and `publish`; `making`: it may begin here."""
    address = settings.broker_address
    if address.embedded and not address.user and settings.enrol == "closed":
        raise RefusedError(
            "CANHMAN_ENROL=closed: there is no join key to publish with; give a device's own: CANHMAN_BROKER=embedded://ID@HOST and CANHMAN_BROKER_PASSWORD"
        )
    own = bool(address.user) or not address.embedded
    if settings.clock == "system" and own and address.user != INGEST_USER:
        return SystemClock(), wiring.login(settings, org, None)  # another machine may hold the database
    db = wiring.database(settings) if making else wiring.existing_database(settings)
    try:
        orgs = {o.id: o for o in (await db.snapshot()).orgs}
        return await wiring.clock(settings, db), wiring.login(settings, org, orgs.get(org))
    finally:
        db.close()


async def waits(settings: Settings, devices: Iterable[str]) -> str:
    """What is to be said where what was acknowledged waits for approval; empty where none does, or another machine may hold the registry."""
    address = settings.broker_address
    if settings.enrol != "approve" or not address.embedded or address.user:
        return ""
    db = wiring.existing_database(settings)
    try:
        known = {d.id for d in (await db.snapshot()).devices}
    finally:
        db.close()
    new = sorted(set(devices) - known)
    shown = ", ".join(new[:SHOWN]) + (" …" if len(new) > SHOWN else "")
    return f"nobody registered {shown}: it is kept, and stored after `canhman devices approve {new[0]}`" if new else ""


def client_id(what: str) -> str:
    """A client id nobody else uses."""
    return f"canhman-{what}-{uuid.uuid4().hex[:8]}"


def publisher(settings: Settings, *, client_id: str, login: tuple[str, str], window: int) -> PahoPublisher:
    """A connection of a simulated device."""
    return wiring.publisher(settings, client_id=client_id, user=login[0], password=login[1], window=window)
