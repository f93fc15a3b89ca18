"""
The watchdog's round, at 10,000, 100,000 and 1,000,000 devices.

It needs ``pushd.core.wheel``, a timing wheel, and ``pushd.core.watchdog``, which turns it. Until this version has both
there is nothing to measure, and the table says so.
"""

from importlib.util import find_spec

from tests.bench.bench import Bench

NEEDS = ("pushd.core.wheel", "pushd.core.watchdog")


def work(bench: Bench) -> None:
    """
    Say what is missing.
    """
    missing = [name for name in NEEDS if find_spec(name) is None]
    why = f"this version has no {' and no '.join(missing)}" if missing else "its measurement is yet to be written"
    bench.book.notes.append(f"watchdog: not measured; {why}")
