"""Count calls: the time of a request is mostly that of Python, and calls are the same on any machine."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pushd

_PREFIXES = (f"{Path(pushd.__file__).parent}{os.sep}", "<attrs generated methods pushd.")
"""What the file names of the server's functions begin with."""


def count_calls(run: Callable[[], object]) -> int:
    """How many functions of the server are called, without those of libraries and tests."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code.co_filename.startswith(_PREFIXES)

    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(None)
    return calls
