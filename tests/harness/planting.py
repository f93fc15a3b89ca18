"""Starts the real server with a planted bug; the server itself knows nothing of this."""

import sys
from collections.abc import Callable, Mapping

from twisted.scripts.twistd import run


def run_with_bug(bugs: Mapping[str, Callable[[], None]]) -> None:
    """Plant the bug that the first argument names, and run twistd with the others."""
    bugs[sys.argv.pop(1)]()
    sys.argv[0] = "twistd"
    run()
