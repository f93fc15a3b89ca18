"""A monotonic clock that also counts while the machine is suspended, where the system has one."""

import time
from functools import partial

uptime = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
"""Seconds since the machine was started."""
