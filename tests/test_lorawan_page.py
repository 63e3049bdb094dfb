"""The function of docs/lorawan.md, run by Node: events of network servers become our JSON, in our units; what means "no probe" is no value."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ingest.decoders.native import decode

NODE = shutil.which("node") or ""
PAGE = (Path(__file__).parents[1] / "docs" / "lorawan.md").read_text("utf-8")
RUN = """
const make = new Function("msg", "node", process.argv[1]);
const said = [];
const out = JSON.parse(require("fs").readFileSync(0, "utf-8")).map((payload) => make({ payload }, { warn: (text) => said.push(text) }) || null);
console.log(JSON.stringify({ out, said }));
"""
pytestmark = pytest.mark.skipif(not NODE, reason="needs node")

NOON = 1_772_420_400_000  # 2026-03-02T03:00:00Z


def handed_on(*events: dict[str, Any]) -> tuple[list[Any], list[str]]:
    """What the function returns for each event, and its warnings."""
    (text,) = re.findall(r"^```js\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    done = subprocess.run([NODE, "-e", RUN, text], input=json.dumps(events), capture_output=True, text=True, timeout=60, check=True)
    answer = json.loads(done.stdout)
    return answer["out"], answer["said"]


PORTS = {"Dragino": 2, "Milesight": 85, "SenseCAP": 1, "Decentlab": 1}


def chirpstack(profile: str, decoded: object, **more: Any) -> dict[str, Any]:
    """An event of ChirpStack v4, on the port of the maker's readings."""
    info = {"devEui": "a84041ffff18e2c3", "deviceProfileName": profile}
    received = [{"nsTime": "2026-03-02T03:00:00.250123456+00:00", "rssi": -97, "snr": 6.5}]
    return {"time": "0001-01-01T00:00:00Z", "deviceInfo": info, "fCnt": 1842, "fPort": PORTS[profile.split()[0]], "object": decoded, "rxInfo": received, **more}


def tts(model: str, decoded: object, **more: Any) -> dict[str, Any]:
    """An uplink of The Things Stack v3, its first: f_cnt and snr are 0 and left out."""
    received = {"received_at": "2026-03-02T03:00:00.25Z", "rx_metadata": [{"rssi": -101}], "f_port": 2}
    uplink = {**received, "decoded_payload": decoded, "version_ids": {"model_id": model}}
    return {"end_device_ids": {"dev_eui": "A84041FFFF18E2C3"}, "received_at": "2026-03-02T03:00:09Z", "uplink_message": uplink, **more}


def measured(decoded: object, *, profile: str) -> list[Any]:
    """The values our decoder finds in what is handed on, object by object."""
    ((found,), _) = handed_on(chirpstack(profile, decoded))
    records = decode(json.dumps(found["payload"]).encode())
    assert all(not r.refused for r in records)
    values = [{q: v for _, channel in r.channels for q, v in channel.items() if q not in ("device.rssi", "device.snr")} for r in records]
    return [pytest.approx(v) for v in values if v]


def test_an_event_of_each_server() -> None:
    """Device, frame counter and the network server's time; the gateway's year 1 (T04) is nobody's."""
    decoded = {"BatV": 3.605, "temp_SOIL": 28.93, "water_SOIL": 44.17, "conduct_SOIL": 8040, "s_flag": 1, "Mod": 0}
    out, said = handed_on(chirpstack("Dragino LSE01", decoded), tts("lse01", decoded), tts("lse01", decoded, simulated=True))
    assert said == []
    assert [o and o["topic"] for o in out] == ["canhman/default/a84041ffff18e2c3/telemetry"] * 2 + [None]
    assert [o and o["qos"] for o in out] == [1, 1, None]
    soil = {"soil.moisture": 0.4417, "soil.temperature": 28.93, "soil.ec_bulk": 8.04}
    for answer, seq, rssi, snr in ((out[0], 1842, -97.0, 6.5), (out[1], 0, -101.0, 0.0)):
        (record,) = decode(json.dumps(answer["payload"]).encode())
        assert (record.time, record.seq, record.refused) == (NOON + 250, seq, [])
        assert record.channels == [("main", pytest.approx(soil)), ("main", {"device.battery": 3.605, "device.rssi": rssi, "device.snr": snr})]


@pytest.mark.parametrize(
    ("profile", "decoded", "expected"),
    [
        ("Dragino LSE01", {"Bat": 3.625, "conduct_SOIL": 28200, "temp_SOIL": "24.59", "water_SOIL": "19.57"}, [(0.1957, 24.59, 28.2, 3.625)]),
        ("Dragino SE01-LB", {"BatV": 3.588, "temp_SOIL": 0, "water_SOIL": 0, "conduct_SOIL": 0, "s_flag": 0}, [(None, None, None, 3.588)]),
        ("Dragino LSE01", {"temp_SOIL": 35.1, "water_SOIL": 100, "conduct_SOIL": 65535, "s_flag": 1}, [(1.0, 35.1, None, None)]),
        ("Dragino LSE01", {"BatV": 3.6, "Mod": 1, "s_flag": 1, "Raw_conduct_SOIL": 96, "water_SOIL": None}, [(None, None, None, 3.6)]),
        ("Milesight EM500-SMTC", {"battery": 100, "temperature": -3.4, "moisture": 8.12, "ec": 410}, [(0.0812, -3.4, 0.41, None)]),
        ("Milesight EM500-SMTC", {"temperature": -0.1, "moisture_error": "collection failed", "electricity_error": "collection failed"}, []),
        (
            "SenseCAP S2105",
            {"messages": [{"measurementId": i, "measurementValue": v} for i, v in ((4102, 27.35), (4103, 33.2), (4108, 2.47))]},
            [(0.332, 27.35, 2.47, None)],
        ),
        ("SenseCAP S2105", {"valid": False, "err": -2, "messages": []}, []),
        ("SenseCAP S2105", {"messages": [{"type": "upload_battery", "battery": 100}]}, []),
        (
            "Decentlab DL-TRS12",
            {"volumetric_water_content": {"value": 0.29}, "soil_temperature": {"value": 26.8}, "electrical_conductivity": {"value": 431}},
            [(0.29, 26.8, 0.431, None)],
        ),
        ("Decentlab DL-TRS12", {"volumetric_water_content": {"value": 0.29}, "soil_temperature": {"value": None}}, [(0.29, None, None, None)]),
    ],
)
def test_soil(profile: str, decoded: object, expected: list[tuple[float | None, ...]]) -> None:
    """Moisture, temperature, bulk conductivity [dS/m] and battery; None where there is none."""
    names = ("soil.moisture", "soil.temperature", "soil.ec_bulk", "device.battery")
    assert measured(decoded, profile=profile) == [{q: v for q, v in zip(names, values, strict=True) if v is not None} for values in expected]


def test_water() -> None:
    """Depths in mm and cm become metres, µS/cm mS/cm; in air the depth is below 0; a frame of the battery alone is one."""
    decoded = {"water_depth": {"value": -12}, "temperature": {"value": 29.7}, "electrical_conductivity": {"value": 18350}, "battery_voltage": {"value": 2.987}}
    assert measured(decoded, profile="Decentlab DL-CTD10") == [{"water.level": -0.012, "water.temperature": 29.7, "water.ec": 18.35, "device.battery": 2.987}]
    assert measured({"battery_voltage": {"value": 3.168}}, profile="Decentlab DL-CTD10") == [{"device.battery": 3.168}]
    assert [measured({key: 142, "battery": 92}, profile="Milesight EM500-SWL") for key in ("level", "depth")] == [[{"water.level": 1.42}]] * 2


def test_history_has_its_own_times() -> None:
    """A backlog in one frame is stored when it was measured; a record whose probe failed is none."""
    history = [{"timestamp": 1767225600, "electricity": 2210, "temperature": 25.1, "moisture": 30.55}, {"timestamp": 1767226200, "temperature": -0.1}]
    (found,), _ = handed_on(chirpstack("Milesight EM500-SMTC", {"history": history}))
    newest, record = decode(json.dumps(found["payload"]).encode())
    assert (newest.seq, newest.channels) == (1842, [("main", {"device.rssi": -97.0, "device.snr": 6.5})])  # a frame without a value is counted
    assert (record.time, record.seq) == (1767225600000, None)
    assert record.channels == [("main", {"soil.moisture": 0.3055, "soil.temperature": 25.1, "soil.ec_bulk": 2.21})]


def test_what_is_no_number_is_refused_by_name() -> None:
    """It is handed on as it is, so that it becomes a dead letter and nobody loses it in silence."""
    (found,), _ = handed_on(chirpstack("Dragino LSE01", {"temp_SOIL": 26.7, "conduct_SOIL": "28200 uS/cm"}))
    (record,) = decode(json.dumps(found["payload"]).encode())
    assert record.channels[0] == ("main", {"soil.temperature": 26.7})
    assert [(r.reason, r.key) for r in record.refused] == [("not_a_number", "soil.ec_bulk")]


def test_what_it_cannot_read_is_named() -> None:
    """An unknown profile, a frame no codec read, one of another port (the maker's codec makes readings of a status frame): each by device and port."""
    status = {"BatV": 9.729, "temp_DS18B20": "0.10", "water_SOIL": "652.95", "temp_SOIL": "176.64", "conduct_SOIL": 0, "s_flag": 0}
    events = (chirpstack("Dragino LDDS75", {"Distance": 1500}), chirpstack("Dragino LSE01", None), chirpstack("Dragino LSE01", status, fPort=5))
    out, said = handed_on(*events, tts("lse01", status, uplink_message={"f_port": 5, "decoded_payload": status, "version_ids": {"model_id": "lse01"}}))
    assert out == [None] * 4
    device = "a84041ffff18e2c3, fPort"
    other = f"{device} 5: no readings on this port"
    assert said == [f"{device} 2: no profile Dragino LDDS75 in PROFILES", f"{device} 2: no codec decoded it", other, other]


def test_published_frames(shared_dir: Path) -> None:
    """What the makers' codecs make of published frames is read without a refusal, and no value lies where no probe can be."""
    folder = shared_dir / "codecs"
    profiles = {
        "lse01": "Dragino LSE01",
        "em500-smtc": "Milesight EM500-SMTC",
        "s2105": "SenseCAP S2105",
        "dl-ctd10": "Decentlab DL-CTD10",
        "dl-trs12": "Decentlab DL-TRS12",
    }
    files = sorted(folder.glob("*-*.json")) if folder.is_dir() else []
    vectors = [v for f in files for v in json.loads(f.read_text("utf-8")).get("vectors", []) if v["model"] in profiles and v["fPort"] != 42]
    if not vectors:
        pytest.skip(f"needs vectors in {folder}")
    out, said = handed_on(*(chirpstack(profiles[v["model"]], v["expected"]) for v in vectors))
    assert said == []
    read = 0
    for vector, answer in zip(vectors, out, strict=True):
        for record in decode(json.dumps(answer["payload"]).encode()):
            assert record.refused == [], vector
            for name, value in record.channels[0][1].items():
                read += 1
                assert name.startswith("device.") or -4 <= value <= 61, (vector, name, value)
    assert read > 60
