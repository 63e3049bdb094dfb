"""Dead letters: the reasons."""

from __future__ import annotations

from core.deadletter import REASONS
from deploy.page import Page, mark, table


def body() -> str:
    """The page below its head."""
    reasons = table(("Reason", "Tiếng Việt", "English"), ((mark(reason), vi, en) for reason, (vi, en) in REASONS.items()))
    return f"""A message or a single value that cannot be stored is kept with its reason; its bytes stay in the journal. The rest of the message is stored, and
no message keeps another from being stored: one that makes our own code fail, or a row the store will never take, is found alone, and its neighbours go on.
What a decoder reads: [devices.md](devices.md). Clocks that are wrong: [time.md](time.md).

```sh
canhman deadletters count --since 7d                                      # by reason and device     GET /api/v1/deadletters/counts
canhman deadletters list --reason clock --device kl01                     # the newest first         GET /api/v1/deadletters
canhman deadletters show 17                                               # with its message         GET /api/v1/deadletters/17
canhman deadletters replay 17                                             # read one again           POST /api/v1/deadletters/17/replay
canhman deadletters replay --reason clock --since 7d --dry-run            # only count the choice    POST /api/v1/deadletters/replay, dry_run
canhman deadletters replay --reason clock --device kl01 --shift -7h       # read all of it again     POST /api/v1/deadletters/replay
```

Officers see and replay the letters of their own org: those of its devices, and of devices nobody registered that wrote to it. Who asked stands in the
audit. The message is shown whole where the journal in `CANHMAN_DATA` still keeps it (`CANHMAN_JOURNAL_KEEP`), else its first 1,024 bytes, always as text:
what is no text is written `\\x…`, and in `payload_base64` it is as it came.

**Reading again** goes the same way as the first time: from the journal, by the process that wrote it, within a second of running. What has been mended
meanwhile (a device registered, a sensor deployed, a decoder added) holds. It is idempotent: asked twice, or killed in between, a reading is stored once, for a
store knows it by series and time. `--shift` moves the time of what was refused, and of nothing else in the same message. A time that was too far ahead when it
came (`clock`) and is over by now is taken: it may have been this machine's clock that was behind ([guarantees.md](guarantees.md)). Afterwards a letter is
*resolved*; one that is refused again stays open and says why, in today's words; where another reason stands in the way now, that is a letter of its own. One
whose message the journal no longer keeps stays open and says so.

**Bounds.** Of one device and reason in one journal 1,000 unresolved letters are kept; what comes beyond them is counted on the newest one and has no letter to
ask for: `canhman redecode run --since …` (of reason `clock` with `--clock-was-behind`) reads the journal again and stores these too
([redecode.md](redecode.md)). Strangers' words are cut (a key at 160 characters, a text at 1,000).

{reasons}"""


PAGE = Page(title="Dead letters", about="Why a message or a value was not stored, and how it is read again.", source="`core/deadletter.py`", body=body)
