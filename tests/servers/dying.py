"""`canhman` that kills itself with SIGKILL at one exact point: python dying.py MODULE:CLASS.METHOD before|after|never N WORDS…

It dies at the N-th call of that method, before it begins or after it has returned; `never`: it lives, and the method does nothing.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
import sys
from typing import Any


def arm(target: str, when: str, nth: int) -> None:
    """Wrap the method so that its `nth` call is the last thing this process does."""
    module, _, path = target.partition(":")
    owner, _, name = path.rpartition(".")
    place = getattr(importlib.import_module(module), owner)
    original = getattr(place, name)
    calls = 0

    def count(moment: str) -> None:
        nonlocal calls
        calls += moment == when
        if moment == when and calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            count("before")
            answer = await original(*args, **kwargs)
            count("after")
            return answer
    else:

        @functools.wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            count("before")
            answer = original(*args, **kwargs)
            count("after")
            return answer

    setattr(place, name, (lambda *args, **kwargs: None) if when == "never" else wrapped)


if __name__ == "__main__":
    arm(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    del sys.argv[1:4]
    from canhman.cli import main

    main()
