"""Publishers and subscribers that cost little: packets made beforehand, raw sockets.

The bench starts the servers of the tests: `servers.…` is found in tests/ from here on.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
if str(ROOT / "tests") not in sys.path:
    sys.path.insert(0, str(ROOT / "tests"))
