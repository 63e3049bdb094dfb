"""Who sends on a topic, and what ingest knows of them: found once a message, so that everything per device hangs here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.place import MAIN
from core.quantities import QUANTITIES
from ingest.convert import Layout, Layouts
from ingest.decoder import Decoder, Plain
from ingest.identity import Memory
from ingest.route import Route, route

MOST_SENDERS = 100_000  # topics remembered; a sender that invents topics must not fill our memory
_MOST_LAYOUTS = 20  # of one sender
_MOST_CHANNELS = 256  # of one sender; what was forgotten is looked at again

# by which of battery, rssi and snr a message holds (bits 0, 1, 2): their quantities, in this order
EXTRAS = tuple(tuple(name for bit, name in enumerate(("device.battery", "device.rssi", "device.snr")) if code >> bit & 1) for code in range(8))


class Sender:
    """A topic. `registered` tells whether it may send there; then `met` are the channels looked at in this registry, and `memory`
    is its device's. They come together, in `meet`: of who has no memory no message is read.

    `admitted` is true while it may, and its channel `main` was looked at: then nothing has to be asked about a plain message,
    and `plain` reads one.
    """

    __slots__ = ("_plain", "admitted", "decoder", "device", "kind", "layout", "layouts", "memory", "met", "org", "plain", "registered")

    def __init__(self, found: Route, decoder: Decoder | None, *, plainly: bool) -> None:
        self.kind = found.kind
        self.org = found.org
        self.device = found.device
        self.decoder = decoder
        self._plain = decoder.plain if decoder is not None and plainly else None
        self.plain: Callable[[bytes], Plain | list[Plain]] | None = None
        self.registered = False
        self.admitted = False
        self.met: frozenset[str] = frozenset()
        self.memory: Memory  # of a registered one
        self.layout: Layout | None = None  # of its last message
        self.layouts: dict[tuple[tuple[str, ...], int], Layout] | None = None

    def meet(self, channels: frozenset[str], memory: Memory) -> None:
        """It may send, these channels were looked at, and that is what is known of its device."""
        self.registered = True
        self.memory = memory
        met = channels if channels >= self.met else self.met | channels
        self.met = met if len(met) <= _MOST_CHANNELS else (met & {MAIN}) | (channels if len(channels) < _MOST_CHANNELS else frozenset())
        self.admitted = MAIN in self.met
        self.plain = self._plain if self.admitted else None

    def lay_out(self, layouts: Layouts, names: tuple[str, ...], extra: int, time: int) -> Layout | None:
        """The layout of a plain message's readings and device values; None where a value is unknown, or stands nowhere."""
        last = self.layout
        if last is not None:  # another one: from now on more than the last is remembered
            if self.layouts is None or len(self.layouts) >= _MOST_LAYOUTS:
                self.layouts = {}
            self.layouts[(last.names, last.extra)] = last
        known = self.layouts.get((names, extra)) if self.layouts is not None else None
        if known is None or not known.start <= time < known.end:
            if not (names or extra) or not all(name in QUANTITIES and not name.startswith("device.") for name in names):
                return None
            known = layouts.lay_out(self.device, MAIN, names + EXTRAS[extra], time)
            if known.missing:
                return None
            known.names, known.extra = layouts.one(names), extra
        self.layout = known
        return known


class Senders:
    """Every topic met since the registry changed."""

    def __init__(self, decoders: Callable[[], Mapping[str, Decoder]], *, plainly: bool) -> None:
        self._decoders = decoders
        self._plainly = plainly
        self.by_topic: dict[str, Sender] = {}

    def get(self, topic: str) -> Sender:
        """Who sends there. Raises DecodeError for a topic outside the contract."""
        found = self.by_topic.get(topic)
        if found is None:
            where = route(topic)
            if len(self.by_topic) >= MOST_SENDERS:
                self.by_topic.clear()
            found = self.by_topic[topic] = Sender(where, self._decoders().get(where.kind), plainly=self._plainly)
        return found

    def clear(self) -> None:
        """The registry changed: everybody is looked at anew."""
        self.by_topic.clear()
