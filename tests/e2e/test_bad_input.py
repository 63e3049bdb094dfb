"""Bad input through the real path: the right dead letter with its reason, counted, and nothing good beside it lost."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from pathlib import Path

import pytest
from servers.installation import Installation, ListenerSqlite, MosquittoInflux
from servers.waiting import until

from core.clock import rfc3339

pytestmark = pytest.mark.servers

NOON = 1_772_420_400_000  # 2026-03-02T03:00:00Z
MINUTE = 60_000
MIB = 1 << 20


def letters(rig: Installation, device: str) -> dict[tuple[str, str], int]:
    """{(reason, key): how many} of a device's dead letters; every one says why."""
    found: dict[tuple[str, str], int] = {}
    for letter in rig.json("deadletters", "list", "--device", device, "--limit", "10000")["items"]:
        assert len(letter["text"]) > 10, letter
        found[(letter["reason"], letter["key"])] = found.get((letter["reason"], letter["key"]), 0) + letter["count"]
    return found


def stored(rig: Installation, station: str) -> dict[tuple[str, int], tuple[float, int]]:
    """{(quantity, minutes after NOON): (value, flag)} of a station."""
    return {(r.quantity, (r.time - NOON) // MINUTE): (r.value, r.flag) for r in rig.rows() if r.station == station}


def at(minute: int) -> str:
    """A time as JSON text."""
    return f'"{rfc3339(NOON + minute * MINUTE)}"'


# ---------------------------------------------------------------- values


def test_bad_values_among_good_ones(rig: Installation) -> None:
    """T01: NaN however it is spelt, 1e400, text, a bool: refused with key and reason, each neighbour stored; nothing guessed."""
    spelt = ["nan", "NaN", "-nan", "Infinity", '"28,4"', '"28.4"', "true", "1e400", "1e999", '"466.4,252,0.23,1.000"', "null", "[1]", '{"a":1}']
    rig.start()
    for i, bad in enumerate(spelt):
        rig.publish("kl01", f'{{"seq":{i},"time":{at(i)},"readings":{{"water.ec":2.31,"water.temperature":{bad},"water.level":1.12}},"battery":3.7}}')
    rig.publish("kl01", f'{{"time":{at(50)},"readings":{{"water.ec":2.0}},"channels":{{"d10":{{"soil.moisture":NaN,"soil.temperature":27.5}}}},"rssi":1e999}}')
    rig.settle()
    assert letters(rig, "kl01") == {("not_a_number", "water.temperature"): len(spelt), ("not_a_number", "d10/soil.moisture"): 1, ("not_a_number", "rssi"): 1}
    rows = stored(rig, "kl01")
    assert all(abs(value) < 100 for value, _ in rows.values())
    for i in range(len(spelt)):
        assert rows[("water.ec", i)][0] == 2.31
        assert rows[("water.level", i)][0] == 1.12
        assert rows[("device.battery", i)][0] == 3.7
    assert rows[("soil.temperature", 50)][0] == 27.5
    assert not [key for key in rows if key[0] in ("water.temperature", "soil.moisture", "device.rssi")]
    counts = dict(rig.ask("SELECT name, value FROM counter"))
    assert counts["refused:not_a_number"] == len(spelt) + 2


def test_unknown_names_cost_only_themselves(rig: Installation) -> None:
    """A quantity nobody registered, a channel that is no slug, names made to hurt (T40): refused by name, the rest stored."""
    evil = '<img src=x onerror=alert(1)>=HYPERLINK("http://x.example";"Kênh")\x1b[2J'
    body = {
        "time": rfc3339(NOON),
        "readings": {"water.ec": 2.0, "water.salt": 1.0, "WATER.LEVEL": 1.0, evil: 1.0, "x" * 5000: 1.0},
        "channels": {
            "d10": {"soil.moisture": 0.3, "soil.mosture": 0.3},
            "Độ sâu": {"soil.moisture": 0.4},
            "": {"soil.moisture": 0.5},
            "a/b": {"soil.moisture": 0.6},
        },
        "comment": evil,
    }
    rig.start()
    rig.publish("kl01", json.dumps(body, ensure_ascii=False))
    rig.settle()
    assert letters(rig, "kl01") == {
        ("unknown_quantity", "water.salt"): 1,
        ("unknown_quantity", "WATER.LEVEL"): 1,
        ("unknown_quantity", evil): 1,
        ("unknown_quantity", "x" * 160): 1,
        ("unknown_quantity", "d10/soil.mosture"): 1,
        ("bad_channel", "Độ sâu"): 1,
        ("bad_channel", ""): 1,
        ("bad_channel", "a/b"): 1,
    }
    assert {k for k, _ in stored(rig, "kl01")} == {"water.ec", "water.salinity", "soil.moisture"}
    assert "\x1b" not in rig.run("deadletters", "list").stdout


def test_out_of_range_is_stored_and_flagged(rig: Installation) -> None:
    """Never a dead letter: the number stays, with flag 4; what is derived from it inherits the flag."""
    rig.start()
    rig.publish("kl01", f'{{"time":{at(0)},"readings":{{"water.ec":75.0,"water.temperature":-40,"water.level":1.0}}}}')
    rig.publish("kl01", f'{{"time":{at(1)},"readings":{{"water.ec":-0.5,"water.ph":1e300}}}}')
    rig.publish("kl01", f'{{"time":{at(2)},"readings":{{"water.ec":2.0,"water.temperature":12.0}}}}')
    rig.settle()
    rows = stored(rig, "kl01")
    assert letters(rig, "kl01") == {}
    assert rows[("water.ec", 0)] == (75.0, 4)
    assert rows[("water.temperature", 0)] == (-40.0, 4)
    assert rows[("water.level", 0)] == (1.0, 1)
    assert rows[("water.salinity", 0)][1] == 4
    assert rows[("water.ec", 1)] == (-0.5, 4)
    assert rows[("water.ph", 1)] == (1e300, 4)
    assert rows[("water.ec", 2)] == (2.0, 1)
    assert rows[("water.temperature", 2)] == (12.0, 3)  # possible, but not usual in the delta


# ---------------------------------------------------------------- whole messages


def test_unreadable_messages(rig: Installation) -> None:
    """Not JSON, not text, not an object, nested too deep, numbers of a thousand digits: one dead letter each, the next stored."""
    broken: list[bytes] = [
        b"",
        b"hello",
        b"{",
        b'{"time":',
        b"42",
        b'"text"',
        b"null",
        b"\xff\xfe\x00",
        b'{"readings": {"water.ec": 2.0',
        ("[" * 9000).encode(),
        f'{{"time":{at(0)},"readings":{{"water.ec":2.31}},"x":{"[" * 9000}'.encode(),
        b"\x00" * 1000,
    ]
    rig.start()
    rig.publish("kl01", f'{{"time":{at(0)},"readings":{{"water.ec":1.0}}}}', *broken, f'{{"time":{at(1)},"readings":{{"water.ec":1.1}}}}')
    # T40: an ignored field, however deep, must kill nothing; whole JSON this time
    rig.publish("kl01", f'{{"time":{at(2)},"readings":{{"water.ec":1.2}},"x":{"[" * 9000}{"]" * 9000}}}')
    rig.publish("kl01", f'{{"time":{at(3)},"readings":{{"water.ec":{"1" * 5000}}}}}')
    rig.publish("kl01", f'[{{"time":{at(4)},"readings":{{"water.ec":1.4}}}}, 7, null, {{"time":{at(5)},"readings":{{"water.ec":1.5}}}}]')
    rig.publish("kl01", f'{{"time":{at(6)},"readings":7,"channels":[1],"battery":3.6}}', f'{{"time":{at(7)},"channels":{{"d10":3}},"battery":3.6}}')
    rig.publish("kl01", f'{{"time":{at(9)},"readings":{{"water.ec":1.9}}}}')
    rig.settle()
    rows = stored(rig, "kl01")
    found = letters(rig, "kl01")
    assert {m for q, m in rows if q == "water.ec"} - {2} == {0, 1, 4, 5, 9}
    assert {m for q, m in rows if q == "device.battery"} == {6, 7}
    deep = found.pop(("malformed", ""))
    assert deep - len(broken) in (0, 1, 2)  # the deep and the long number may be refused whole, never worse
    assert ("water.ec", 2) in rows or deep > len(broken)
    assert found.pop(("not_a_number", "water.ec"), 0) + deep >= len(broken) + 1
    assert found == {
        ("malformed", "[1]"): 1,
        ("malformed", "[2]"): 1,
        ("malformed", "readings"): 1,
        ("malformed", "channels"): 1,
        ("malformed", "channels.d10"): 1,
    }
    letter = rig.json("deadletters", "show", str(rig.json("deadletters", "list", "--reason", "malformed")["items"][-1]["id"]))
    assert letter["payload"] == ""  # the first broken one, its bytes kept as they came
    assert rig.runs


def test_times_that_cannot_be_meant(rig: Installation) -> None:
    """T06, T04: no zone, bare numbers, before 2000, far ahead: refused with the reason; never 1970, 58135 or seven hours off."""
    zoneless = [
        '"2026-03-02 10:05:00"',
        '"2026-03-02T10:05:00"',
        "1772420400",
        "1772420400000",
        '"1772420400"',
        '"yesterday"',
        "true",
        '""',
        '"2026-02-30T00:00:00Z"',
    ]
    rig.start()
    for bad in zoneless:
        rig.publish("kl01", f'{{"time":{bad},"readings":{{"water.ec":2.0}}}}')
    rig.publish("kl01", '{"readings":{"water.ec":2.0}}')
    boot = [f'{{"seq":{s},"boot":3,"time":"1970-01-01T00:00:0{s + 3}Z","readings":{{"water.ec":2.0}}}}' for s in range(3)]
    rig.publish("kl01", *boot, f'{{"seq":3,"boot":3,"time":{at(0)},"readings":{{"water.ec":2.5}}}}')
    ahead = int(time.time() * 1000) + 7 * 3_600_000
    rig.publish("kl01", f'{{"time":"{rfc3339(ahead)}","readings":{{"water.level":1.0}}}}', '{"time":"9999-12-31T23:59:59Z","readings":{"water.level":1.0}}')
    rig.publish("kl01", f'{{"time":{at(1)},"readings":{{"water.ec":2.6}}}}', '{"age_s":-5,"seq":1,"boot":1,"readings":{"water.ec":2.0}}')
    rig.publish("kl01", '{"age_s":1e12,"seq":2,"boot":1,"readings":{"water.ec":2.0}}', '{"age_s":10,"readings":{"water.ec":2.0}}')
    rig.settle()
    assert {k: v[0] for k, v in stored(rig, "kl01").items() if k[0] == "water.ec"} == {("water.ec", 0): 2.5, ("water.ec", 1): 2.6}
    assert letters(rig, "kl01") == {("bad_time", "time"): len(zoneless) + 1, ("clock", ""): 5, ("bad_time", "age_s"): 2, ("no_identity", ""): 1}
    texts = [x["text"] for x in rig.json("deadletters", "list", "--reason", "bad_time")["items"]]
    assert sum("zone" in t for t in texts) >= len(zoneless)
    clocks = rig.json("deadletters", "list", "--reason", "clock")["items"]
    assert all("clock of kl01" in c["text"] for c in clocks)
    assert abs(clocks[1]["offset_ms"] - 7 * 3_600_000) < 120_000
    # T04: the device is named as having lost its clock, and none of its numbers as missing
    until(lambda: "lost its clock" in str(rig.json("devices", "show", "kl01")["clock"]), 30, "it is named")
    assert rig.json("devices", "gaps", "--device", "kl01")["items"] == []
    # the clock ran seven hours ahead: mended by reading again, with its time moved; asked twice it is stored once
    assert "deadletters replay --reason clock --device kl01 --shift -7h" in clocks[1]["text"]
    rig.run("deadletters", "replay", str(clocks[1]["id"]), "--shift", "-7h")
    rig.run("deadletters", "replay", str(clocks[1]["id"]), "--shift", "-7h", check=False)
    until(lambda: [r for r in rig.rows() if r.quantity == "water.level"], 60, "the moved reading is stored")
    (row,) = [r for r in rig.rows() if r.quantity == "water.level"]
    assert row.time == (ahead // 1000 * 1000 if ahead % 1000 == 0 else ahead) - 7 * 3_600_000
    assert [x["resolved"] for x in rig.json("deadletters", "list", "--reason", "clock")["items"]] == [False, True, False, False, False]


def test_topics_outside_the_contract(rig: Installation) -> None:
    """On our listener a dead letter; at Mosquitto what the access rules let through is one too. Kinds not built yet keep their bytes."""
    outside = ["kl01/telemetri", "kl01/telemetry/x", "kl01", "kl01/frame/300", "kl01/frame/x"]
    odd = ["kl 01/telemetry", "<img src=x onerror=alert(1)>/telemetry", "Kênh/telemetry", "x" * 65 + "/telemetry", "org:x/telemetry"]
    rig.start()
    with rig.connected("odd") as client:
        for rest in outside + odd:
            client.publish(f"canhman/default/{rest}", f'{{"time":{at(0)},"readings":{{"water.ec":2.0}}}}', qos=1).wait_for_publish(30)
    rig.publish("kl01", f'{{"time":{at(0)},"readings":{{"water.ec":2.0}}}}')
    rig.publish("kl01", "[]", leaf="senml")
    rig.publish("kl01", b"\x01\x02", leaf="frame/2")
    rig.publish("kl01", "asleep", leaf="status")
    rig.publish("kl01", "online", leaf="status")
    rig.settle()
    found = rig.json("deadletters", "list", "--limit", "1000")["items"]
    bad = {x["topic"].removeprefix("canhman/default/") for x in found if x["reason"] == "bad_topic"}
    assert bad >= set(odd)
    assert bad <= set(odd) | set(outside)
    if isinstance(rig, ListenerSqlite):
        assert bad == set(odd) | set(outside)
    assert sorted((x["reason"], x["topic"].rpartition("kl01/")[2]) for x in found if x["device"] == "kl01") == [
        ("malformed", "senml"),
        ("malformed", "status"),
        ("no_decoder", "frame/2"),
    ]
    assert {s["id"] for s in rig.json("stations", "list") if not s["id"].startswith("mark-")} == {"kl01"}
    assert next(d["status"] for d in rig.json("devices", "list")["devices"] if d["id"] == "kl01") == "online"


# ---------------------------------------------------------------- bytes


def connect_packet(user: str, password: str, client_id: str) -> bytes:
    """An MQTT 3.1.1 CONNECT, by hand."""

    def text(value: str) -> bytes:
        return struct.pack("!H", len(value)) + value.encode()

    body = text("MQTT") + bytes([4, 0xC2, 0, 60]) + text(client_id) + text(user) + text(password)
    return bytes([0x10, len(body)]) + body


def remaining_length(size: int) -> bytes:
    """MQTT's variable length."""
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(out)


def is_closed_by(rig: Installation, *chunks: bytes, log_in: bool, most: int) -> int:
    """Send until the server hangs up; how many bytes it took. Fails where it took them all, or more than `most`."""
    sent = 0
    with socket.create_connection((rig.login.host, rig.login.port), timeout=30) as peer:
        if log_in:
            peer.sendall(connect_packet(rig.login.user, rig.login.key, "bulky"))
            assert peer.recv(4) == b"\x20\x02\x00\x00"
        try:
            for chunk in chunks:
                peer.sendall(chunk)
                sent += len(chunk)
            while peer.recv(4096):
                pass  # a refusal may come before the end
        except ConnectionError:
            pass
    assert sent <= most, f"{sent} bytes were taken"
    return sent


def test_packets_too_large_and_no_mqtt_at_all(rig: Installation) -> None:
    """100 MB in one packet, an HTTP request, a TLS hello: hung up at the limit, logged, and others do not notice."""
    rig.start()
    hundred = 100 * MIB
    publish = b"\x32" + remaining_length(hundred) + struct.pack("!H", 30) + b"canhman/default/bulk/telemetry" + b"\0\1"
    buffers = 8 * MIB  # what the kernel takes on both sides before anybody read it
    with rig.connected("neighbour") as client:
        first = client.publish("canhman/default/kl01/telemetry", f'{{"time":{at(0)},"readings":{{"water.ec":2.0}}}}', qos=1)
        is_closed_by(rig, publish, *[b"x" * MIB] * 100, log_in=True, most=buffers)
        is_closed_by(rig, b"\x10" + remaining_length(hundred) + b"\0\4MQTT\4\xc2\0\0", *[b"x" * MIB] * 100, log_in=False, most=buffers)
        is_closed_by(rig, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", log_in=False, most=MIB)
        is_closed_by(rig, bytes.fromhex("160301020001000 1fc0303".replace(" ", "")) + b"\0" * 508, log_in=False, most=MIB)
        is_closed_by(rig, b"\x10\xff\xff\xff\xff\xff", log_in=False, most=MIB)
        second = client.publish("canhman/default/kl01/telemetry", f'{{"time":{at(1)},"readings":{{"water.ec":2.1}}}}', qos=1)
        for info in (first, second):
            info.wait_for_publish(30)
        assert client.is_connected()
    rig.settle()
    assert {m for q, m in stored(rig, "kl01") if q == "water.ec"} == {0, 1}
    assert not [r for r in rig.rows() if r.station == "bulk"]
    if isinstance(rig, ListenerSqlite):
        until(lambda: heartbeat(rig).get("listener_too_large") == 2, 15, "both are counted")
        assert heartbeat(rig)["listener_malformed"] + heartbeat(rig)["listener_protocol_errors"] >= 3
        closed = [line for line in rig.log.splitlines() if "mqtt connection closed" in line]
        assert sum("are the most" in line for line in closed) == 2
        assert len(closed) >= 5


def heartbeat(rig: Installation) -> dict[str, int]:
    """What ingest says of itself, as doctor reads it."""
    with contextlib.suppress(OSError, ValueError):
        found: dict[str, int] = json.loads((rig.data / "ingest.heartbeat.json").read_text())["figures"]
        return found
    return {}


def test_a_retained_reading_is_one_reading(mosquitto_influx: MosquittoInflux) -> None:
    """T07: the broker hands it out at every start of ingest: one row, counted as duplicate; clockless, its age is unknown."""
    rig = mosquitto_influx
    rig.start()
    with rig.connected("retainer") as client:
        client.publish("canhman/default/kl01/telemetry", f'{{"seq":7,"time":{at(0)},"readings":{{"water.ec":2.31}}}}', qos=1, retain=True).wait_for_publish(30)
        client.publish("canhman/default/kl02/telemetry", '{"seq":1,"boot":1,"age_s":30,"readings":{"water.ec":2.5}}', qos=1, retain=True).wait_for_publish(30)
        client.publish("canhman/default/kl01/status", "online", qos=1, retain=True).wait_for_publish(30)
    rig.settle()
    before = [r[:8] for r in rig.rows()]  # without rx: of a reading with a time of its own it is that of the last arrival
    assert {r[0] for r in before} == {"kl01", "kl02"}
    for _ in range(3):
        rig.stop()
        rig.start()
        rig.settle()
    assert [r[:8] for r in rig.rows()] == before
    assert letters(rig, "kl02") == {}
    duplicates = dict(rig.ask("SELECT name, value FROM counter"))
    assert duplicates["duplicate:kl01"] >= 1
    # a broker that knew it before we did: the reading of a clockless device cannot be dated
    with rig.connected("retainer2") as client:
        client.publish("canhman/default/kl02/telemetry", "", qos=1, retain=True).wait_for_publish(30)


# ---------------------------------------------------------------- names


ODD_NAMES = ['Cống số 2, bờ "trái"', "a=b", "C:\\", "kl 03", "🌾👩\u200d🌾", "'; DROP TABLE station; --", "tên\\n", "x" * 200]


def test_odd_names_end_to_end(rig: Installation, tmp_path: Path) -> None:
    """T18: each odd name works from registration to the stored row, with a hundred normal ones beside it; too long is refused at once."""
    rig.start()
    toml = "\n".join(f"[[station]]\nid = 'odd-{i}'\nname = {json.dumps(name, ensure_ascii=False)}" for i, name in enumerate(ODD_NAMES))
    (tmp_path / "odd.toml").write_text(toml)
    rig.run("stations", "apply", str(tmp_path / "odd.toml"))
    (tmp_path / "long.toml").write_text(f"[[station]]\nid = 'long'\nname = '{'x' * 300}'")
    refused = rig.run("stations", "apply", str(tmp_path / "long.toml"), check=False)
    assert refused.returncode == 1
    assert "at most 200" in refused.stderr
    ids = ["kl.03", "a:b", "A_B-c", "-", "1e9", "x" * 64]
    with rig.connected("many") as client:
        sent = [
            client.publish(f"canhman/default/{device}/telemetry", f'{{"time":{at(0)},"readings":{{"water.ec":{i / 10}}}}}', qos=1)
            for i, device in enumerate([*(f"normal{n}" for n in range(100)), *ids])
        ]
        for info in sent:
            info.wait_for_publish(60)
    rig.settle()
    got = {r.sensor: r.value for r in rig.rows() if r.quantity == "water.ec"}
    assert got == {device: i / 10 for i, device in enumerate([*(f"normal{n}" for n in range(100)), *ids])}
    assert rig.json("deadletters", "list")["items"] == []
    names = {s["id"]: s["name"] for s in rig.json("stations", "list")}
    assert [names[f"odd-{i}"] for i in range(len(ODD_NAMES))] == ODD_NAMES


# ---------------------------------------------------------------- files


def test_unreadable_rows_of_a_file_are_named(rig: Installation, tmp_path: Path) -> None:
    """`canhman replay`: each with its line and why; every other row is stored; the report says the same as JSON."""
    file = tmp_path / "rows.csv"
    lines = ["station,time_local,salinity_g_L"] + [f"tram-{n % 5},2022-03-{1 + n // 24:02d} {n % 24:02d}:00,{n / 10}" for n in range(50)]
    bad = {
        4: "tram-0,yesterday,1.0",
        9: "tram-1,2022-03-01 05:00,salty",
        17: "tram-2,2022-03-01 25:00,1.0",
        30: ",2022-03-01 05:00,1.0",
        44: "tram-3,2022-03-01 05:00,nan",
    }
    for line, text in bad.items():
        lines[line - 1] = text
    file.write_text("\n".join(lines) + "\n")
    rig.start()
    done = rig.run("replay", str(file), "--json", check=False, env=rig.device_env)
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert report["bad_count"] == len(bad)
    assert {b["line"] for b in report["bad"]} == set(bad)
    assert report["acknowledged"] == 50 - len(bad)
    rig.settle()
    assert len([r for r in rig.rows() if r.quantity == "water.salinity"]) == 50 - len(bad)
    said = rig.run("replay", str(file), env=rig.device_env).stdout
    for line, text in (("line 4", "yesterday"), ("line 9", "salty"), ("line 17", "25:00")):
        (one,) = [s for s in said.splitlines() if f"{line}:" in s]
        assert text in one
