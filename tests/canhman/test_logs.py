"""The demo's log file: bounded, and written from many threads."""

from __future__ import annotations

import threading
from pathlib import Path

from canhman.logs import LogFile


def test_it_never_fills_the_disk(tmp_path: Path) -> None:
    """Beyond its limit it begins anew, and keeps the one before; no line is torn."""
    log = LogFile(tmp_path / "demo.log", limit=1000)

    def work(n: int) -> None:
        for i in range(200):
            log.write(f"{n} {i}\n")
            log.flush()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = sorted(tmp_path.iterdir())
    assert [path.name for path in found] == ["demo.log", "demo.log.1"]
    assert sum(path.stat().st_size for path in found) < 2100
    assert all(len(line.split()) == 2 for path in found for line in path.read_text().splitlines())
    log.close()
