"""The Registry port over SQL: what is put is what is read; every change audited; contradictions change nothing."""

from __future__ import annotations

import asyncio
import json
import unicodedata
from dataclasses import replace

import pytest

from adapters.sql import SqlDatabase, open_database
from core.errors import ConfigError, ConflictError
from core.place import Alias, Deployment, Device, Join, Org, Station, Waterway

DAY = 86_400_000
KL01 = Device(id="kl01", org="default")
KL02 = Device(id="kl02", org="default")
KENH_LAU = Station(id="kenh-lau", org="default", name="Kênh Lầu")
AT_KENH_LAU = Deployment(device="kl01", channel="main", station="kenh-lau", point="main")


def put(database: SqlDatabase, *items: Org | Device | Station | Deployment | Waterway, actor: str = "lan") -> int:
    return asyncio.run(database.put(*items, actor=actor))


def test_round_trip(database: SqlDatabase) -> None:
    """Everything put, in any order, is in the snapshot field by field."""
    sea = Waterway(id="cai-lon", name="Sông Cái Lớn", sea="Biển Tây", length_km=80)
    canal = Waterway(id="xa-no", name="Kênh Xà No", sea="", length_km=39, joins=(Join(waterway="cai-lon", km=45.0),))
    org = Org(id="can-tho", name="Cần Thơ", join_generation=2)
    station = Station(
        id="hoa-tien",
        org="can-tho",
        name="Hỏa Tiến",
        lat=9.7,
        lon=105.3,
        position="approximate",
        waterway="xa-no",
        km=12.5,
        commune="31338",
        commune_scheme="vn-2025",
        level_datum="Hòn Dấu",
        verdict_point="in",
        public=True,
        aliases=(Alias(name="Hỏa Tiến cũ", end="2025-06-30"),),
    )
    device = Device(id="A:1", org="can-tho", model="teros", credential="hash", opens_points=True)
    deployment = Deployment(device="A:1", channel="d10", station="hoa-tien", point="d10", start=5, end=DAY, role="check", depth_m=0.1, interval_s=600.0)
    put(database, deployment, station, device, canal, sea, org)
    snapshot = asyncio.run(database.snapshot())
    assert snapshot.orgs == (org, Org(id="default", name="Mặc định"))
    assert (snapshot.devices, snapshot.stations, snapshot.deployments) == ((device,), (station,), (deployment,))
    assert set(snapshot.waterways) == {sea, canal}


def test_unchanged_writes_nothing(database: SqlDatabase) -> None:
    """Putting what is there leaves version and audit trail alone; a change raises the version by one for all items together."""
    first = put(database, KL01, KENH_LAU, AT_KENH_LAU)
    assert first == 2
    assert put(database, KL01, KENH_LAU, AT_KENH_LAU) == first
    assert len(asyncio.run(database.audit())) == 3
    assert put(database, KL01, replace(KENH_LAU, public=True)) == first + 1
    assert asyncio.run(database.version()) == first + 1


def test_audit_tells_who_what_when(database: SqlDatabase) -> None:
    """An audit row holds actor, reason, time, and the item before and after; the newest comes first."""
    put(database, KENH_LAU)
    asyncio.run(database.put(replace(KENH_LAU, km=3.0), actor="minh", why="surveyed"))
    newest, oldest = asyncio.run(database.audit())
    assert (oldest.actor, oldest.kind, oldest.subject, oldest.before) == ("lan", "station", "kenh-lau", "")
    assert (newest.actor, newest.why, newest.at) == ("minh", "surveyed", 1_772_000_000_000)
    assert json.loads(newest.before)["km"] is None
    assert json.loads(newest.after)["km"] == 3.0
    assert asyncio.run(database.audit(limit=1)) == [newest]


def test_no_credential_in_audit(database: SqlDatabase) -> None:
    """The audit trail says set, changed or unset, never the hash."""
    for credential in ("$scrypt$one", "$scrypt$two", ""):
        put(database, replace(KL01, credential=credential))
    rows = asyncio.run(database.audit())
    assert [json.loads(r.after)["credential"] for r in reversed(rows)] == ["set", "changed", "unset"]
    assert "scrypt" not in "".join(r.before + r.after for r in rows)


@pytest.mark.parametrize(
    ("items", "error", "words"),
    [
        ((Device(id="a", org="nobody"),), ConflictError, "org 'nobody', which is not registered"),
        ((replace(KENH_LAU, waterway="styx"),), ConflictError, "waterway 'styx'"),
        ((Deployment(device="x9", channel="main", station="kenh-lau", point="main"),), ConflictError, "device 'x9'"),
        ((Deployment(device="kl01", channel="main", station="mars", point="main"),), ConflictError, "station 'mars'"),
        ((Waterway(id="w", name="W", sea="", length_km=1, joins=(Join(waterway="styx", km=1),)),), ConflictError, "joins 'styx'"),
        ((Org(id="other", name="O"), replace(KL01, org="other")), ConflictError, "never reused for another org"),
        ((Org(id="other", name="O"), replace(KENH_LAU, org="other")), ConflictError, "never reused for another org"),
        ((Org(id="other", name="O"), Device(id="o1", org="other"), replace(AT_KENH_LAU, device="o1", role="check")), ConflictError, "one org"),
        ((replace(AT_KENH_LAU, start=DAY),), ConflictError, r"kl01 at kenh-lau/main always on.*overlap"),
        ((KL02, replace(AT_KENH_LAU, device="kl02", start=DAY)), ConflictError, r"kl01 .*kl02 .*both primary.*role check"),
        ((Device(id="kênh", org="default"),), ConfigError, "device id"),
        ((Device(id="org:default", org="default"),), ConfigError, "join keys"),
        ((replace(KENH_LAU, name="a\nb"),), ConfigError, "control character"),
    ],
)
def test_contradictions_change_nothing(
    database: SqlDatabase, items: tuple[Org | Device | Station | Deployment | Waterway, ...], error: type[Exception], words: str
) -> None:
    """What contradicts the registry is refused with both sides named, and not even its sound items are kept."""
    put(database, KL01, KENH_LAU, AT_KENH_LAU)
    before = asyncio.run(database.snapshot())
    with pytest.raises(error, match=words):
        put(database, *items)
    assert asyncio.run(database.snapshot()) == before
    assert len(asyncio.run(database.audit())) == 3


def test_join_generation_only_rises(database: SqlDatabase) -> None:
    """A join key that was replaced never comes back."""
    put(database, Org(id="default", name="Mặc định", join_generation=3))
    with pytest.raises(ConflictError, match="never comes back"):
        put(database, Org(id="default", name="Mặc định", join_generation=2))


def test_a_swap_in_one_put(database: SqlDatabase) -> None:
    """The old probe ends where the new one starts: one call, no overlap in between; a check may stand beside."""
    put(database, KL01, KL02, KENH_LAU, AT_KENH_LAU)
    put(database, replace(AT_KENH_LAU, device="kl02", start=DAY), replace(AT_KENH_LAU, end=DAY))
    put(database, replace(AT_KENH_LAU, start=DAY, role="check"))
    assert [(d.device, d.start, d.role) for d in asyncio.run(database.snapshot()).deployments] == [
        ("kl01", 0, "primary"),
        ("kl01", DAY, "check"),
        ("kl02", DAY, "primary"),
    ]


@pytest.mark.parametrize("name", ['Cống số 2, bờ "trái"', "a=b", "C:\\", "kl 03", "🌊👩‍🌾", "'; DROP TABLE station; --", "<img src=x onerror=alert(1)>"])
def test_odd_names_are_names(database: SqlDatabase, name: str) -> None:
    """Whatever can be printed is a name and comes back as it went in."""
    put(database, replace(KENH_LAU, name=name))
    assert [s.name for s in asyncio.run(database.snapshot()).stations] == [name]


def test_decomposed_name_is_the_same(database: SqlDatabase) -> None:
    """A name typed on a Mac (decomposed) is no change."""
    put(database, KENH_LAU)
    assert put(database, replace(KENH_LAU, name=unicodedata.normalize("NFD", "Kênh Lầu"))) == 2


def test_another_process_sees_it(url: str, database: SqlDatabase) -> None:
    """A second connection reads what the first one wrote, at once."""
    other = open_database(url)
    put(database, KENH_LAU)
    assert asyncio.run(other.version()) == 2
    assert asyncio.run(other.snapshot()).stations == (KENH_LAU,)
    other.close()


def test_a_field_never_shows_a_station_that_is_not_for_its_readers(database: SqlDatabase) -> None:
    """A public field's intake is public, one of another org too; a station whose verdict is shown so cannot be made private."""
    put(database, Org(id="longmy", name="Long Mỹ"))
    private = Station(id="rieng", org="longmy", name="Ao nhà Bé")
    own = Station(id="cua-minh", org="default", name="Ao mình")
    put(database, private, own)
    for field in (
        Station(id="ruong", org="default", name="Ruộng", intake="rieng"),
        Station(id="ruong", org="default", name="Ruộng", intake="cua-minh", public=True),
    ):
        with pytest.raises(ConflictError, match=r"station ruong names intake .*, which is not public while"):
            put(database, field)
    put(database, Station(id="ruong", org="default", name="Ruộng", intake="cua-minh"))
    put(database, replace(private, public=True), Station(id="ruong-2", org="default", name="Ruộng", intake="rieng"))
    with pytest.raises(ConflictError, match=r"station rieng is the intake of ruong-2, which others see"):
        put(database, private)
    put(database, private, Station(id="ruong-2", org="default", name="Ruộng"))


def test_an_intake_is_a_station(database: SqlDatabase) -> None:
    """A field names a registered station, not itself; both may come in one put, in any order; it can be taken away again."""
    field = Station(id="a-ruong", org="default", name="Ruộng", intake="kenh-lau")
    with pytest.raises(ConflictError, match=r"a-ruong names intake 'kenh-lau', which is not registered"):
        put(database, field)
    with pytest.raises(ConfigError, match="is the station itself"):
        put(database, replace(KENH_LAU, intake="kenh-lau"))
    with pytest.raises(ConfigError, match="intake 'Kênh Lầu' is not allowed"):
        put(database, replace(field, intake="Kênh Lầu"))
    assert asyncio.run(database.snapshot()).stations == ()
    put(database, field, KENH_LAU)
    assert asyncio.run(database.snapshot()).stations == (field, KENH_LAU)
    put(database, replace(field, intake=""))
    assert asyncio.run(database.snapshot()).stations[0].intake == ""
