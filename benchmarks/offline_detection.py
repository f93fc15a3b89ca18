"""``python -m benchmarks.offline_detection DEVICES ROUNDS``: measures rounds of the offline detector, without a store.

It is a process of its own, because a million devices leave the heap of the process that had them fragmented. No store
is needed, because all devices poll in time. Prints a JSON object with milliseconds.
"""

import gc
import json
import random
import sys
from statistics import fmean
from time import perf_counter
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.core.clocks import Clocks
from pushd.core.devices.offline_detector import OfflineDetector
from pushd.core.devices.presence import Presence
from pushd.model.alert import AlertRules
from pushd.model.device import Device, PresenceState
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore

TIMEOUTS = (120.0, 1200.0)
"""Heartbeat timeouts, in seconds: each of half of the devices."""

MAX_POLL_AGE = 45.0
"""Each device has polled within so many seconds."""

WALL = 1_800_000_000.0


def measure(devices: int, rounds: int) -> dict[str, float]:
    """The mean and the worst duration of so many rounds, in milliseconds."""
    clock = Clock()
    clocks = Clocks(clock, lambda: WALL + clock.seconds())
    presence = Presence(cast(IStore, None), clocks)
    detector = OfflineDetector(cast(IStore, None), clocks, presence, AlertRules())
    loaded = tuple(_device(number) for number in range(devices))
    presence.load(StartupSnapshot(now=clocks.now(), devices=loaded))
    detector.start()
    gc.collect()
    gc.freeze()
    chance = random.Random(devices)
    durations = []
    for _ in range(rounds):
        clock.advance(1)
        slot = presence.wheel._slots.get(int(clock.seconds()))
        for entry in slot.entries if slot is not None else ():
            entry.active_at = clock.seconds() - chance.uniform(0, MAX_POLL_AGE)
        durations.append(_round(clock, detector))
    return {"mean": 1000 * fmean(durations), "worst": 1000 * max(durations)}


def _device(number: int) -> Device:
    return Device(
        id=f"servereye:{number}",
        dialect="servereye",
        presence=PresenceState.ONLINE,
        heartbeat_timeout=TIMEOUTS[number % 2],
        created_at=0,
    )


def _round(clock: Clock, detector: OfflineDetector) -> float:
    """The duration of one round in seconds, with all its batches."""
    results: list[Any] = []
    began = perf_counter()
    Deferred.fromCoroutine(detector.check()).addBoth(results.append)
    while not results:
        clock.advance(0)
    duration = perf_counter() - began
    assert results == [None], results
    return duration


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))) + "\n")
