"""The promises of a soak run, and how each is checked; those about commands are in ``tests.harness``."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from pushd.model.timestamps import from_rfc3339, milliseconds
from tests.harness import command_promises
from tests.harness.alert_mails import alert_id
from tests.harness.command_promises import BrokenPromise
from tests.harness.outage_journal import Span, offline_periods
from tests.harness.receiver import is_in_order, missing_deliveries
from tests.harness.trace import Traces
from tests.soak.config import ALERT_WINDOW, HEARTBEAT_TIMEOUT, SoakConfig
from tests.soak.observations import Observations, of_types
from tests.soak.process_monitor import INTERVAL, Sample

_MIB = 1024 * 1024
_SAMPLES_A_MINUTE = round(60 / INTERVAL)

MEMORY_GROWTH = 8 * _MIB
"""By how much the anonymous memory may grow. SQLite's page caches, which would grow with the database, are full before
the load begins, and the other tables of the server have a fixed size or are empty when their clients have gone.
"""

DESCRIPTORS = 4
"""The harness's own connections, of which the number varies."""

THREADS = 24
"""Ten of the reactor, eight of the resolver, and those of the store."""

WAL = 80 * _MIB
"""SQLite cuts its log to 64 MiB; a large result is written on top."""

LOG_LINES = 30
"""Lines in a minute after the warm-up."""

LATENCY = 2000
"""Milliseconds between what a device does and when the server learns of it, on a busy machine."""

MEMORY = "memory does not grow after the warm-up"
DESCRIPTORS_RETURN = "descriptors return to their number before the load"
THREADS_BOUNDED = "the number of threads is bounded"
LOG_BOUNDED = "the log grows by a bounded number of lines a minute"
WAL_BOUNDED = "the write-ahead log is bounded"
READY = "the server is ready throughout"
HOSTILE = "hostile clients are refused, and what they leave is closed"
DELIVERED = "each event is delivered to each webhook"
STREAMED = "event streams miss nothing and repeat nothing"
ALERTS = "devices that were away are in an alert, and no others"
MAILED = "each alert is mailed"
STOPPED = "SIGTERM ends the server in time"


@frozen(kw_only=True)
class MemoryGrowth:
    """How the anonymous memory has grown; in bytes."""

    before: int
    """The least in the quarter of the run that follows the warm-up."""
    after: int
    """The least in the last quarter."""

    @property
    def bytes(self) -> int:
        """The difference."""
        return self.after - self.before


def memory_growth(config: SoakConfig, samples: Sequence[Sample]) -> MemoryGrowth:
    """Compare the memory after the warm-up with that at the end; the least of each span, when no large body is in it,
    of which a busy machine has one most of the time.
    """
    quarter = config.seconds / 4
    first = [sample for sample in samples if config.warm_up <= sample.second < config.warm_up + quarter]
    last = [sample for sample in samples if config.seconds - quarter <= sample.second < config.seconds]
    before, after = (min(sample.anonymous for sample in span) for span in (first, last))
    return MemoryGrowth(before=before, after=after)


def most_log_lines(config: SoakConfig, samples: Sequence[Sample]) -> int:
    """The most lines in a minute after the warm-up."""
    later = [sample.log_lines for sample in samples if sample.second >= config.warm_up]
    minute_later = later[_SAMPLES_A_MINUTE:] or later[-1:]
    return max((end - start for start, end in zip(later, minute_later, strict=False)), default=0)


def _memory(config: SoakConfig, observed: Observations) -> Iterator[str]:
    growth = memory_growth(config, observed.samples)
    if growth.bytes >= MEMORY_GROWTH:
        yield f"it grew from {growth.before / _MIB:.1f} to {growth.after / _MIB:.1f} MiB"


def _descriptors(config: SoakConfig, observed: Observations) -> Iterator[str]:
    if observed.descriptors_after > observed.descriptors_before + DESCRIPTORS:
        yield f"there were {observed.descriptors_before}, and are {observed.descriptors_after}"


def _threads(config: SoakConfig, observed: Observations) -> Iterator[str]:
    most = max(sample.threads for sample in observed.samples)
    if most > THREADS:
        yield f"there were {most}"


def _log(config: SoakConfig, observed: Observations) -> Iterator[str]:
    lines = most_log_lines(config, observed.samples)
    if lines > LOG_LINES:
        yield f"there were {lines}"


def _wal(config: SoakConfig, observed: Observations) -> Iterator[str]:
    most = max(sample.wal for sample in observed.samples)
    if most > WAL:
        yield f"it had {most / _MIB:.1f} MiB"


def _delivered(config: SoakConfig, observed: Observations) -> Iterator[str]:
    for webhook in observed.webhooks:
        events = of_types(observed.commands.events, webhook.types)
        yield from missing_deliveries(events, webhook.deliveries)
        if webhook.parallel == 1 and not is_in_order(events, webhook.deliveries):
            yield "they did not arrive in order"


def _streamed(config: SoakConfig, observed: Observations) -> Iterator[str]:
    for stream in observed.streams:
        expected = [event["seq"] for event in of_types(observed.commands.events, stream.types)][: len(stream.seqs)]
        wrong = [number for number, pair in enumerate(zip(stream.seqs, expected, strict=False)) if len(set(pair)) > 1]
        if len(stream.seqs) > len(expected) or wrong:
            yield f"of {len(stream.seqs)} events, number {wrong[0] if wrong else len(expected)} is another"


def _alerts(config: SoakConfig, observed: Observations) -> Iterator[str]:
    periods: defaultdict[str, list[Span]] = defaultdict(list)
    for device, period in offline_periods(observed.commands.devices):
        periods[device].append(period)
    alerted: defaultdict[str, list[int]] = defaultdict(list)
    for alert in observed.alerts:
        raised = from_rfc3339(alert["raised_at"])
        for device in alert["devices"]:
            alerted[device].append(raised)
            if not any(_contains(period, raised) for period in periods[device]):
                yield f"{device} is in alert {alert['id']} of {alert['raised_at']}, but was not away"
        if not alert["devices"]:
            yield f"alert {alert['id']} is about no device: {alert['kind']}"
        elif alert["cleared_at"] is None:
            yield f"alert {alert['id']} is open at the end"
    for device, spans in periods.items():
        for period in spans:
            if _must_alert(period) and not any(_contains(period, raised) for raised in alerted[device]):
                yield f"{device} was away for {period.latest - period.earliest} ms without an alert"


def _contains(period: Span, moment: int) -> bool:
    return period.earliest <= moment <= period.latest + LATENCY


def _must_alert(period: Span) -> bool:
    return period.latest - period.earliest > milliseconds(HEARTBEAT_TIMEOUT + ALERT_WINDOW) + LATENCY


def _mailed(config: SoakConfig, observed: Observations) -> Iterator[str]:
    mailed = {alert_id(mail["Message-ID"]) for mail in observed.mails}
    known = {alert["id"] for alert in observed.alerts}
    yield from (f"there is no mail about alert {alert}" for alert in known - mailed)
    yield from (f"a mail is about {alert}, which is no alert" for alert in mailed - known)


def _stopped(config: SoakConfig, observed: Observations) -> Iterator[str]:
    if observed.stop_seconds > config.stop_seconds:
        yield f"it took {observed.stop_seconds:.1f} s"


_CHECKS: Sequence[tuple[str, Callable[[SoakConfig, Observations], Iterator[str]]]] = (
    (MEMORY, _memory),
    (DESCRIPTORS_RETURN, _descriptors),
    (THREADS_BOUNDED, _threads),
    (LOG_BOUNDED, _log),
    (WAL_BOUNDED, _wal),
    (READY, lambda _, observed: iter(observed.not_ready)),
    (HOSTILE, lambda _, observed: iter(observed.hostile_faults)),
    (DELIVERED, _delivered),
    (STREAMED, _streamed),
    (ALERTS, _alerts),
    (MAILED, _mailed),
    (STOPPED, _stopped),
)

PROMISES = (*(promise for promise, _ in _CHECKS), *command_promises.PROMISES)


def check_promises(config: SoakConfig, observed: Observations, traces: Traces) -> list[BrokenPromise]:
    """Find every promise that was broken; of a server that failed by itself, only that is reported."""
    broken = command_promises.check_promises(traces)
    if observed.commands.has_final_state:
        broken += [
            BrokenPromise(promise=promise, how=how) for promise, check in _CHECKS for how in check(config, observed)
        ]
    return broken
