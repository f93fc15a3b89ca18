"""The log lines about failed requests of simulated devices."""

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from pushd.simulator.http import RequestFailed
from pushd.simulator.log_throttle import LogThrottle


def test_one_line_per_interval(clock: Clock) -> None:
    """However many requests fail, there is one line in five seconds, with the number of those that have none."""
    throttle = LogThrottle(clock=clock)
    with capturedLogs() as logged:
        for device in range(1000):
            throttle.warn(f"controlid:{device}", "poll failed, will retry", RequestFailed("HTTP 503"))
        clock.advance(5)
        throttle.warn("controlid:0", "result not accepted, will retry", RequestFailed("HTTP 503"))
    first, second = map(str, map(formatEvent, logged))
    assert first.startswith("controlid:0: poll failed, will retry: HTTP 503")
    assert "999 more" in second
