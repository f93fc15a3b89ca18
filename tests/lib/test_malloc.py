"""Tests of :mod:`pushd.lib.malloc`: freed memory is returned to the system, but not too often."""

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from pushd.lib import malloc
from pushd.lib.malloc import TRIM_SECONDS, Trimmer, map_large_blocks, trim


def test_trim_is_bounded_in_rate(clock: Clock) -> None:
    """However many bodies are freed, memory is trimmed once, in a thread, soon after the first; then again."""
    in_threads: list[Callable[[], None]] = []

    def in_thread(work: Callable[[], None]) -> Deferred[None]:
        in_threads.append(work)
        return succeed(None)

    trimmer = Trimmer(clock, in_thread)
    for _ in range(3):
        trimmer.schedule()
    assert in_threads == []
    clock.advance(TRIM_SECONDS)
    assert in_threads == [trim]
    clock.advance(TRIM_SECONDS)
    trimmer.schedule()
    clock.advance(TRIM_SECONDS)
    assert in_threads == [trim, trim]


def test_other_c_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A C library without these functions, as on macOS or Alpine Linux, is left as it is."""
    monkeypatch.setattr(malloc, "CDLL", lambda name: object())
    map_large_blocks()
    trim()
