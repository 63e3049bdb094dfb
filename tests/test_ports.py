"""A port a test was given is nobody else's while the process of that test lives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from servers import ports

pytestmark = pytest.mark.sockets

TESTS = Path(__file__).parent
ASKS = """
import sys
from servers import ports
ports._LOW, ports._HIGH = int(sys.argv[1]), int(sys.argv[2])
try:
    print(ports.free_port(), flush=True)
except RuntimeError:
    print("none", flush=True)
sys.stdin.read()
"""


def another(low: int, high: int) -> subprocess.Popen[str]:
    """A process that asks for a port from `low` to below `high`, says which, and lives until its input ends."""
    words = [sys.executable, "-c", ASKS, str(low), str(high)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=TESTS, env={"PYTHONPATH": str(TESTS)})


def test_no_port_is_given_twice_while_its_process_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither to the process that has it nor to another; and it is free again when that one has ended."""
    port = ports.free_port()
    with another(port, port + 1) as asked:
        assert asked.communicate()[0] == "none\n"
    mine = ports.free_port()
    monkeypatch.setattr(ports, "_LOW", mine)
    monkeypatch.setattr(ports, "_HIGH", mine + 1)
    with pytest.raises(RuntimeError, match="no free port"):
        ports.free_port()
    monkeypatch.undo()
    with another(ports._LOW, ports._HIGH) as first:
        assert first.stdout is not None
        theirs = int(first.stdout.readline())
        with another(theirs, theirs + 1) as second:
            assert second.communicate()[0] == "none\n"
        first.communicate()
    with another(theirs, theirs + 1) as third:
        assert third.communicate()[0] == f"{theirs}\n"
