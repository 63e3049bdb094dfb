"""`canhman devices`: what talks, what waits for approval, and where each sensor stands from when to when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from canhman.settings import Settings
    from core.place import Deployment
    from registry.directory import Directory

APP = typer.Typer(no_args_is_help=True, help="Devices: registering, approving, deploying, moving and swapping them.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(help="The device's id.")]
At = Annotated[str, typer.Option("--at", help="From when, with a zone: 2026-03-02T10:00:00+07:00 (default: now).")]
Channel = Annotated[str, typer.Option(help="Which probe of the device.")]
Replace = Annotated[bool, typer.Option("--replace", help="Withdraw what starts later, as if never made: mends a wrong --at.")]
Point = Annotated[str, typer.Option(help="Point of the station: main, in, out, d10 … (default: the channel).")]


@APP.command("list", epilog="Example: canhman devices list --json")
def list_(json: Json = False) -> None:
    """List devices, where they stand, their last word, their clocks, what is missing, and what waits for approval."""
    from canhman import terminal, wiring
    from canhman.device_facts import clock_as_json, missing_of
    from canhman.settings import read_settings
    from core.clock import rfc3339
    from ingest.clock_words import short

    settings = read_settings()
    with wiring.registry(settings) as (directory, run):
        waiting = run(lambda db: db.waiting_devices())
        statuses = {s.device: s for s in run(lambda db: db.device_statuses())}
        clocks = {c.device: c for c in run(lambda db: db.device_clocks())}
        missing = missing_of(run(lambda db: db.gaps()))
        now = run(lambda db: wiring.now_ms(settings, db))
    devices: list[dict[str, Any]] = []
    for d in directory.snapshot.devices:
        places = [x for x in directory.deployments_of(d.id) if x.start <= now < x.end]
        word = statuses.get(d.id)
        devices.append(
            {
                "id": d.id,
                "org": d.org,
                "model": d.model,
                "credential": bool(d.credential),
                "places": [f"{x.station}/{x.point}" for x in places],
                "status": word.status if word else None,
                "status_at": rfc3339(word.at) if word else None,
                "clock": clock_as_json(clocks.get(d.id), now),
                "missing": missing[d.id],
            }
        )
    waits = [
        {"id": w.device, "org": w.org, "messages": w.messages, "bytes": w.size, "last": rfc3339(w.last_received), "head": w.head.decode("utf-8", "replace")}
        for w in waiting
    ]
    if json:
        terminal.as_json({"devices": devices, "waiting": waits})
        return
    rows = [
        [
            *(d["id"], d["org"], d["model"], "own" if d["credential"] else "join key", ", ".join(d["places"]), d["status"]),
            *(short(clocks.get(d["id"]), now), d["missing"] or None),
        ]
        for d in devices
    ]
    terminal.table(["id", "org", "model", "credential", "stands at", "status", "clock", "missing"], rows, empty="No devices yet.")
    if waits:
        terminal.result("")
        terminal.result("waiting for approval (canhman devices approve ID, or reject ID):")
        terminal.table(
            ["id", "org", "messages", "bytes", "last message"], [[w["id"], w["org"], w["messages"], w["bytes"], w["head"][:100]] for w in waits], empty=""
        )


@APP.command("show", epilog="Example: canhman devices show kl01")
def show(id: Id, json: Json = False) -> None:
    """Show one device: where its sensors stand, its newest reading, its clock in words, what is missing, and what was counted."""
    from canhman import terminal, wiring
    from canhman.device_facts import clock_as_json, gap_as_json, holes_as_text
    from canhman.settings import read_settings
    from core.clock import rfc3339
    from core.deadletter import Choice
    from core.errors import NotFoundError
    from core.flags import Flag

    settings = read_settings()
    with wiring.registry(settings) as (directory, run):
        device = directory.device(id)
        if device is None:
            raise NotFoundError(f"no device is called {id!r}; `canhman devices list` shows them")
        clock = next((c for c in run(lambda db: db.device_clocks()) if c.device == id), None)
        gaps = run(lambda db: db.gaps(id))
        word = next((s for s in run(lambda db: db.device_statuses()) if s.device == id), None)
        states = [s for s in run(lambda db: db.states()) if s.key.sensor.partition("/")[0] == id and s.newest.flag != Flag.MISSING]
        counters = {name.partition(":")[0]: n for name, n in run(lambda db: db.counters()).items() if name.partition(":")[2] == id}
        letters = {t.reason: t.open for t in run(lambda db: db.dead_letter_tallies(Choice(device=id, is_open=True)))}
        now = run(lambda db: wiring.now_ms(settings, db))
    places = sorted(directory.deployments_of(id), key=lambda d: (d.channel, d.start))
    newest = max(states, key=lambda s: s.newest.time, default=None)
    told = clock_as_json(clock, now)
    facts: dict[str, Any] = {
        "id": device.id,
        "org": device.org,
        "model": device.model,
        "credential": bool(device.credential),
        "places": [f"{d.channel}: {d.station}/{d.point} ({d.role})" for d in places if d.start <= now < d.end],
        "status": f"{word.status} since {rfc3339(word.at)}" if word else None,
        "newest": rfc3339(newest.newest.time) if newest else None,
        "received": rfc3339(newest.received) if newest else None,
        "clock": told,
        "missing": sum(gap.missing for gap in gaps),
        "gaps": [gap_as_json(gap) for gap in gaps],
        "counters": counters,
        "dead_letters": letters,
    }
    if json:
        terminal.as_json(facts)
        return
    shown = facts | {
        "credential": "own" if device.credential else "join key",
        "places": ", ".join(facts["places"]) or "nowhere",
        "clock": told["text"] if told else "not measured",
        "gaps": "; ".join(f"{'boot ' + str(g.boot) + ': ' if g.boot >= 0 else ''}{holes_as_text(g)}" for g in gaps),
        "counters": ", ".join(f"{name} {n}" for name, n in counters.items()),
        "dead_letters": ", ".join(f"{reason} {n}" for reason, n in letters.items()),
    }
    for name, value in shown.items():
        terminal.result(f"{name:12} {'' if value is None else value}")


@APP.command("gaps", epilog="Example: canhman devices gaps --device kl01")
def gaps(device: Annotated[str | None, typer.Option(help="Only this device.")] = None, json: Json = False) -> None:
    """List messages that devices numbered and we never got: lost before they reached our socket, or still on their way."""
    from canhman import terminal, wiring
    from canhman.device_facts import gap_as_json, holes_as_text
    from canhman.settings import read_settings
    from core.clock import rfc3339

    with wiring.registry(read_settings()) as (_, run):
        found = run(lambda db: db.gaps(device))
    if json:
        terminal.as_json({"missing": sum(gap.missing for gap in found), "items": [gap_as_json(gap) for gap in found]})
        return
    rows = [[g.device, g.boot if g.boot >= 0 else None, g.missing, holes_as_text(g), f"{g.lowest}-{g.highest}", rfc3339(g.last_time)] for g in found]
    terminal.table(["device", "boot", "missing", "numbers", "of", "newest reading"], rows, empty="Nothing is missing.")


@APP.command("add", epilog="Example: canhman devices add kl01 --station kenh-lau --name 'Kênh Lầu'")
def add(
    id: Id,
    org: Annotated[str, typer.Option(help="Its organisation.")] = "default",
    model: Annotated[str, typer.Option(help="Its model (native: it sends our JSON).")] = "native",
    station: Annotated[str, typer.Option(help="Deploy its main probe at this station, for all times.")] = "",
    name: Annotated[str, typer.Option(help="Make the station, with this name, where it is new.")] = "",
    point: Point = "",
    json: Json = False,
) -> None:
    """Register a device with a credential of its own; the password is printed once."""
    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from core.errors import ConflictError, NotFoundError
    from core.place import Deployment, Device, Station

    settings = read_settings()
    password, hashed = wiring.new_credential()
    with wiring.registry(settings, making=True) as (directory, run):
        if directory.device(id) is not None:
            raise ConflictError(f"device {id} is registered already; `canhman devices credential {id}` gives it a new password")
        items: list[Any] = [Device(id=id, org=org, model=model, credential=hashed)]
        if station:
            if directory.station(station) is None:
                if not name:
                    raise NotFoundError(f"no station is called {station!r}; give --name to make it, or `canhman stations apply FILE`")
                items.append(Station(id=station, org=org, name=name))
            items.append(Deployment(device=id, channel="main", station=station, point=point or "main"))
        run(lambda db: db.put(*items, actor=terminal.actor()))
    if model != "native":
        terminal.say(f"model {model!r} is kept, but only native has a decoder in this version: frames of other models become dead letters.", style="yellow")
    _print_credential(settings, id, password, json)


@APP.command("credential", epilog="Example: canhman devices credential kl01")
def credential(id: Id, json: Json = False) -> None:
    """Give a device a new password of its own (printed once); the old one no longer works."""
    from dataclasses import replace

    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from core.errors import NotFoundError

    settings = read_settings()
    password, hashed = wiring.new_credential()
    with wiring.registry(settings) as (directory, run):
        device = directory.device(id)
        if device is None:
            raise NotFoundError(f"no device is called {id!r}; `canhman devices list` shows them")
        changed = replace(device, credential=hashed)
        run(lambda db: db.put(changed, actor=terminal.actor(), why="new credential"))
    _print_credential(settings, id, password, json)


def _print_credential(settings: Settings, id: str, password: str, json: bool) -> None:
    from canhman import terminal
    from registry.broker_files import broker_user

    if json:
        terminal.as_json({"user": id, "broker_user": broker_user(id), "password": password})
        return
    at_broker = broker_user(id) != id and not settings.broker_address.embedded
    terminal.result(f"user     {id}" + (f"  (at Mosquitto: {broker_user(id)})" if at_broker else ""))
    terminal.result(f"password {password}")
    sync = "" if settings.broker_address.embedded else " Mosquitto takes it after `canhman broker sync` and `systemctl reload mosquitto`."
    terminal.say(f"It is not shown again.{sync}", style="yellow")


@APP.command("approve", epilog="Example: canhman devices approve kl01 --station kenh-lau")
def approve(
    id: Id,
    station: Annotated[str, typer.Option(help="Deploy it at this station (default: one named after it, made now).")] = "",
    point: Point = "",
    name: Annotated[str, typer.Option(help="Name of the station that is made.")] = "",
) -> None:
    """Let a waiting device in; what was kept of it is stored as if it had just arrived."""
    from dataclasses import replace

    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from core.errors import ConflictError, NotFoundError
    from core.place import Deployment
    from registry.enrolment import self_registration

    settings = read_settings()
    with wiring.registry(settings) as (directory, run):
        if directory.device(id) is not None:  # while its messages still wait for ingest too: a second approval would move it
            raise ConflictError(f"device {id} is registered already, approved or added; `canhman devices deploy {id}` moves it")
        waiting = next((w for w in run(lambda db: db.waiting_devices()) if w.device == id), None)
        if waiting is None:
            raise NotFoundError(f"no device {id!r} waits for approval; `canhman devices list` shows what does")
        device, own, places = self_registration(id, waiting.org, ["main"], directory.station_ids, public=settings.enrol_public)
        if station:
            if directory.station(station) is None:
                raise NotFoundError(f"no station is called {station!r}; `canhman stations list` shows them")
            places = (Deployment(device=id, channel="main", station=station, point=point or "main"),)
            items: list[Any] = [device, *places]
        else:
            items = [device, replace(own, name=name or own.name), *(replace(p, point=point or p.point) for p in places)]
        run(lambda db: db.put(*items, actor=terminal.actor(), why="approved"))
    terminal.result(
        f"device {id} approved at {places[0].station}/{places[0].point}; ingest stores its {waiting.messages} waiting messages within a second of running"
    )


@APP.command("reject", epilog="Example: canhman devices reject kl99")
def reject(id: Id) -> None:
    """Drop what is kept of a waiting device."""
    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from core.errors import NotFoundError

    with wiring.registry(read_settings()) as (_, run):
        dropped = run(lambda db: db.forget_waiting(id, actor=terminal.actor()))
    if not dropped:
        raise NotFoundError(f"no device {id!r} waits for approval; `canhman devices list` shows what does")
    terminal.result(f"device {id}: {dropped} waiting messages dropped")


@APP.command("deploy", epilog="Example: canhman devices deploy kl01 --station kenh-nam --at 2026-03-02T10:00:00+07:00")
def deploy(
    id: Id,
    station: Annotated[str, typer.Option(help="Where it stands from then on.")],
    point: Point = "",
    channel: Channel = "main",
    at: At = "",
    always: Annotated[bool, typer.Option("--always", help="For all times, earlier readings too.")] = False,
    check: Annotated[bool, typer.Option("--check", help="A second probe for comparison, not the series itself.")] = False,
    depth: Annotated[float | None, typer.Option(help="Depth [m].")] = None,
    interval: Annotated[float | None, typer.Option(help="How often it measures [s].")] = None,
    replace: Replace = False,
) -> None:
    """Deploy or move a sensor; readings of earlier times stay where they were measured."""
    from core.place import ALWAYS
    from registry.moves import deploy as rule

    role = "check" if check else "primary"
    _change(
        ALWAYS if always else _instant(at),
        lambda directory, start: rule(
            directory,
            id,
            station=station,
            point=point,
            channel=channel,
            start=start,
            role=role,
            depth_m=depth,
            interval_s=interval,
            replacing=replace,
        ),
    )


@APP.command("withdraw", epilog="Example: canhman devices withdraw kl01")
def withdraw(id: Id, channel: Annotated[str | None, typer.Option(help="Only this probe.")] = None, at: At = "") -> None:
    """End where a device (or one probe of it) stands."""
    from registry.moves import withdraw as rule

    _change(_instant(at), lambda directory, end: rule(directory, id, channel=channel, end=end))


@APP.command("swap", epilog="Example: canhman devices swap kl01 kl07")
def swap(
    old: Annotated[str, typer.Argument(help="The device that leaves.")],
    new: Annotated[str, typer.Argument(help="The one that takes its places.")],
    at: At = "",
    replace: Replace = False,
) -> None:
    """Replace a device: the new one takes over every point of the old one, and each series goes on."""
    from registry.moves import swap as rule

    _change(_instant(at), lambda directory, moment: rule(directory, old, new, at=moment, replacing=replace))


def _instant(text: str) -> int | None:
    from canhman.usage import instant

    return instant("--at", text) if text else None


def _change(at: int | None, rule: Callable[[Directory, int], Sequence[Deployment]]) -> None:
    """Put there, and tell, what `rule` makes of the registry at `at` (None: now, by the installation's clock)."""
    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from core.clock import rfc3339
    from core.place import ALWAYS, FOREVER, sensor_tag

    settings = read_settings()
    with wiring.registry(settings) as (directory, run):
        changed = rule(directory, run(lambda db: wiring.now_ms(settings, db)) if at is None else at)
        put: Callable[[Any], Awaitable[Any]] = lambda db: db.put(*changed, actor=terminal.actor())  # noqa: E731 a lambda like the others, typed
        run(put)
    for d in changed:
        start = "always" if d.start == ALWAYS else rfc3339(d.start)
        span = f"from {start} on" if d.end == FOREVER else f"from {start} to {rfc3339(d.end)}" if d.end > d.start else f"withdrawn (was from {start})"
        terminal.result(f"{sensor_tag(d.device, d.channel)} at {d.station}/{d.point} ({d.role}) {span}")
