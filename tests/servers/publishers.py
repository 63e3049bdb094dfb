"""Devices as others build them: a plain paho client that resends by itself, and firmware that counts `age_s` anew at each attempt."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from servers.installation import Installation

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a clockless device measured at `time` [ms], and how it is known."""

    device: str
    boot: int
    seq: int
    time: int
    value: float

    @property
    def topic(self) -> str:
        """Where it is published."""
        return f"canhman/default/{self.device}/telemetry"

    def payload(self, now_ms: int) -> bytes:
        """The message as it is sent at `now_ms`."""
        body = {"boot": self.boot, "seq": self.seq, "age_s": (now_ms - self.time) / 1000, "readings": {"water.ec": self.value}}
        return json.dumps(body).encode()


class PlainClient:
    """paho as it comes, MQTT 3.1.1: QoS 1, reconnects and resends what was not acknowledged, the same bytes."""

    def __init__(self, installation: Installation, *, window: int = 200) -> None:
        self._client = installation.client(f"plain-{next(_numbers)}", window=window)
        self._room = threading.BoundedSemaphore(window)  # paho numbers messages with 16 bits: no more than these may wait
        self._window = window
        self._client.on_publish = self._acknowledged
        self.acknowledged = 0

    def _acknowledged(self, *args: Any) -> None:
        self.acknowledged += 1
        self._room.release()

    def send(self, messages: Iterable[tuple[str, bytes]]) -> threading.Thread:
        """Publish from a thread of its own, which ends when every message is acknowledged."""

        def work() -> None:
            for topic, payload in messages:
                self._room.acquire()
                self._client.publish(topic, payload, qos=1)
            for _ in range(self._window):
                self._room.acquire()
            for _ in range(self._window):
                self._room.release()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    def send_samples(self, samples: Sequence[Sample]) -> threading.Thread:
        """The same for samples, with the age they have now."""
        now_ms = time.time_ns() // 1_000_000
        return self.send([(sample.topic, sample.payload(now_ms)) for sample in samples])

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


class Firmware:
    """Keeps each sample until its PUBACK; after a lost line it connects anew and sends the rest with the age of that moment."""

    def __init__(self, installation: Installation, *, window: int = 100, silence_s: float = 1.0) -> None:
        self._installation = installation
        self._window = window
        self._silence_s = silence_s

    def send_samples(self, samples: Sequence[Sample]) -> threading.Thread:
        """Publish from a thread of its own, which ends when every sample is acknowledged."""
        thread = threading.Thread(target=self._work, args=(list(samples),), daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """Nothing is left open."""

    def _work(self, waiting: list[Sample]) -> None:
        while waiting:
            client = self._installation.client(f"firmware-{next(_numbers)}", window=self._window)
            try:
                while waiting and self._burst(client, waiting):
                    pass
            finally:
                client.disconnect()
                client.loop_stop()

    def _burst(self, client: Any, waiting: list[Sample]) -> bool:
        """Send as many as may be on their way; drops from `waiting` what was acknowledged. False where the line is gone."""
        deadline = time.monotonic() + self._silence_s / 4
        while not client.is_connected():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        sent = [(sample, client.publish(sample.topic, sample.payload(time.time_ns() // 1_000_000), qos=1)) for sample in waiting[: self._window]]
        deadline = time.monotonic() + self._silence_s
        while not all(info.is_published() for _, info in sent) and time.monotonic() < deadline:
            time.sleep(0.002)
        done = {id(sample) for sample, info in sent if info.is_published()}
        waiting[:] = [sample for sample in waiting if id(sample) not in done]
        return len(done) == len(sent)
