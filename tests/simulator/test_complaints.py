"""What simulated devices complain of."""

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from pushd.simulator.http import HungUp, NoAnswer
from pushd.simulator.log_throttle import Complaints


def test_few_lines(clock: Clock) -> None:
    """However many devices complain, there is a line in five seconds, and it says how many there were."""
    complaints = Complaints(clock=clock)
    with capturedLogs() as logged:
        for device in range(1000):
            complaints.hear(f"controlid:{device}", "poll", NoAnswer("HTTP 503"))
        clock.advance(5)
        complaints.hear("controlid:0", "result", NoAnswer("HTTP 503"))
    first, second = map(str, map(formatEvent, logged))
    assert first.startswith("controlid:0 had no answer to its poll: HTTP 503")
    assert "999 such" in second


def test_no_complaint(clock: Clock) -> None:
    """A device that hung up itself has nothing to complain of."""
    with capturedLogs() as logged:
        Complaints(clock=clock).hear("controlid:0", "poll", HungUp("hung up"))
    assert logged == []
