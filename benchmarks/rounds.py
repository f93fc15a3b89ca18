"""``python -m benchmarks.rounds DEVICES ROUNDS``: how long the watchdog's rounds take; a line of JSON, milliseconds.

A process of its own, for a million devices leave their mark on the one that held them. There is no store: all
devices poll in time, so nobody asks it for anything.
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
"""Seconds that a reader, and a container, may be silent."""

LATEST = 45.0
"""Seconds within which each device has spoken last."""

WALL = 1_800_000_000.0


def measure(devices: int, rounds: int) -> dict[str, float]:
    """The mean and the worst of so many rounds, in milliseconds, once the wheel is full."""
    clock = Clock()
    clocks = Clocks(clock, lambda: WALL + clock.seconds())
    presence = Presence(cast(IStore, None), clocks)
    watchdog = OfflineDetector(cast(IStore, None), clocks, presence, AlertRules())
    presence.load(StartupSnapshot(devices=tuple(_device(number) for number in range(devices))))
    watchdog.start()
    gc.collect()
    gc.freeze()
    dice = random.Random(devices)
    taken = []
    for _ in range(rounds):
        clock.advance(1)
        slot = presence.wheel._slots.get(int(clock.seconds()))
        for entry in slot.entries if slot is not None else ():
            entry.active_at = clock.seconds() - dice.uniform(0, LATEST)
        taken.append(_round(clock, watchdog))
    return {"mean": 1000 * fmean(taken), "worst": 1000 * max(taken)}


def _device(number: int) -> Device:
    return Device(
        id=f"servereye:{number}",
        dialect="servereye",
        presence=PresenceState.ONLINE,
        heartbeat_timeout=TIMEOUTS[number % 2],
        created_at=0,
    )


def _round(clock: Clock, watchdog: OfflineDetector) -> float:
    """The seconds of one round, all its pieces together."""
    ended: list[Any] = []
    began = perf_counter()
    Deferred.fromCoroutine(watchdog.check()).addBoth(ended.append)
    while not ended:
        clock.advance(0)
    passed = perf_counter() - began
    assert ended == [None], ended
    return passed


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))) + "\n")
