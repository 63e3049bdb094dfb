"""Where the time went: Go's profiles are read, and /proc is shared out among processes and threads."""

from __future__ import annotations

import gzip
import os
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.threads import name_this_thread
from bench.ingest.alone import store_alone
from bench.ingest.pprof import RUNTIME, shares
from bench.ingest.spent import MAIN, Look, look, machine_s, memory_mb, spent

OWN = "github.com/influxdata/influxdb"


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: int | bytes) -> bytes:
    return varint(number << 3) + varint(value) if isinstance(value, int) else varint(number << 3 | 2) + varint(len(value)) + value


def profile(stacks: list[tuple[list[str], int]], *, packed: bool = True) -> bytes:
    """Stacks of function names, the innermost first, with how often each was seen, as Go writes it."""
    names = sorted({name for stack, _ in stacks for name in stack})
    data = b""
    for stack, count in stacks:
        places, values = [names.index(name) + 1 for name in stack], [count, count * 10_000_000]
        parts = [(1, places), (2, values)]
        data += field(2, b"".join(field(n, b"".join(map(varint, row))) if packed else b"".join(field(n, x) for x in row) for n, row in parts))
    for number in range(1, len(names) + 1):
        data += field(4, field(1, number) + field(3, 0xDEADBEEF) + field(4, field(1, number) + field(2, 77)))
        data += field(5, field(1, number) + field(2, number))
    data += b"".join(field(6, text.encode()) for text in ("", *names))
    return gzip.compress(data + field(9, 1_700_000_000) + varint(10 << 3 | 1) + bytes(8) + varint(11 << 3 | 5) + bytes(4))


@pytest.mark.parametrize("packed", [True, False])
def test_a_sample_counts_for_the_innermost_function_of_the_server(packed: bool) -> None:
    """What a package calls of Go's library is its own cost; a stack with nothing of the server's is the runtime's."""
    stacks = [
        (["runtime.mallocgc", f"{OWN}/models.parsePoint", f"{OWN}/services/httpd.(*Handler).serveWrite"], 30),
        ([f"{OWN}/tsdb/engine/tsm1.(*Cache).WriteMulti.func1", "net/http.serve"], 60),
        (["runtime.gcBgMarkWorker"], 10),
    ]
    assert shares(profile(stacks, packed=packed)) == [("tsdb/engine/tsm1", 0.6), ("models", 0.3), (RUNTIME, 0.1)]
    assert shares(profile([])) == []


@given(counts=st.lists(st.integers(1, 10**6), min_size=1, max_size=8))
def test_shares_make_a_whole(counts: list[int]) -> None:
    """Whatever was sampled, all of it is told, the dearest first."""
    told = shares(profile([([f"{OWN}/p{n}.f"], count) for n, count in enumerate(counts)]))
    assert sum(share for _, share in told) == pytest.approx(1.0)
    assert [share for _, share in told] == sorted((count / sum(counts) for count in counts), reverse=True)


@pytest.mark.servers
def test_influxdb_alone_tells_what_lines_cost() -> None:
    """Bodies go to a real server one by one; half of them are counted, and its own profile can be read."""
    bodies = ["\n".join(f"water,sensor=d{i} ec={n}.5,ec_qc=1i {1_700_000_000_000 + n}" for i in range(500)).encode() for n in range(20)]
    told = store_alone(bodies[:2], bodies[2:], 18 * 500)
    assert told["per_second"] > 0
    assert told["influxd_us"] >= 0
    assert told["bytes"] == round(sum(map(len, bodies[2:])) / (18 * 500))
    assert all(0 < share <= 1 for _, share in told["profile"])


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_a_thread_is_told_apart_by_its_name() -> None:
    """The main thread, those of a name of ours; and what they spent is in the process's and in the machine's."""
    over = threading.Event()
    named = threading.Event()

    def work() -> None:
        name_this_thread("worker")
        named.set()
        began = time.thread_time()
        while time.thread_time() - began < 0.05:
            pass
        over.wait()

    before = look({"ingest": os.getpid()})
    thread = threading.Thread(target=work)
    thread.start()
    named.wait()
    while (after := look({"ingest": os.getpid()})).threads["worker"] < 0.03:
        pass
    over.set()
    thread.join()
    assert MAIN in after.threads
    assert after.processes["ingest"] - before.processes["ingest"] > 0.02
    assert after.machine - before.machine > 0.02
    assert machine_s() > 0
    assert set(memory_mb(os.getpid())) == {"anon", "file"}


def test_what_is_no_process_of_ours_is_all_else() -> None:
    """µs a message by process and thread, new ones from nought; the rest of the machine beside them, never less than nothing."""
    before = Look(processes={"ingest": 1.0, "influxd": 4.0}, threads={"main": 1.0}, machine=100.0)
    after = Look(processes={"ingest": 2.0, "influxd": 6.0}, threads={"main": 1.5, "worker": 0.5}, machine=104.0)
    told = spent(before, after, 100_000)
    assert (told.cpu_us, told.threads_us, told.others_us) == ({"ingest": 10.0, "influxd": 20.0}, {"main": 5.0, "worker": 5.0}, 10.0)
    assert spent(before, Look(processes=after.processes, machine=100.0), 1).others_us == 0
