"""The report: the counts of a run as a table, broken promises with the history of their devices, and a summary."""

import json
from collections import Counter
from collections.abc import Iterator

from pushd.model.timestamps import from_rfc3339
from tests.alerting.config import ALWAYS_ONLINE, AlertingConfig
from tests.alerting.expected_events import BrokenPromise
from tests.alerting.observations import Observations
from tests.alerting.promises import PROMISES, CheckResult
from tests.harness.report import conclusion, examples, table, verdicts

EXAMPLES = 3
"""How many cases of each broken promise are shown."""


def report_lines(
    config: AlertingConfig, observations: Observations, result: CheckResult, seconds: float
) -> Iterator[str]:
    """The lines of the report."""
    yield from table(_counts(observations, result), 52)
    yield from verdicts(PROMISES, (each.promise for each in result.broken), observations.has_final_state)
    for each in examples(PROMISES, result.broken, EXAMPLES):
        yield from _example(observations, each)
    yield _summary(config, observations, result, seconds)


def _counts(observed: Observations, result: CheckResult) -> dict[str, Counter[str]]:
    restart = observed.restart
    roles = Counter(device["role"] for device in observed.schedule)
    types = Counter(event["type"] for event in observed.events)
    return {
        "device": Counter({"always online" if role == ALWAYS_ONLINE else role: roles[role] for role in roles}),
        "action": Counter(line["did"] for line in observed.journal),
        "event": Counter({kind: types[kind] for kind in types if kind.startswith(("alert.", "device.o", "device.s"))}),
        "alert": Counter(alert["kind"] for alert in observed.alerts) + Counter({"of several devices": result.groups}),
        "webhook": Counter(str(delivery.outcome) for delivery in observed.deliveries),
        "mail": Counter({"accepted": len(observed.mails)}),
        "kill": Counter(
            {
                "pending alert windows": result.pending_at_kill,
                "undelivered events": restart.undelivered if restart else 0,
                "milliseconds until the server was ready again": restart.ready_at - restart.killed_at
                if restart
                else 0,
            }
        ),
        "detection": Counter({"milliseconds beyond the heartbeat timeout at most": result.max_lateness}),
    }


def _example(observed: Observations, broken: BrokenPromise) -> Iterator[str]:
    yield f"BROKEN: {broken.promise}: {broken.device or ''} {broken.how}"
    if broken.device is not None:
        lines = [(from_rfc3339(line["time"]), line) for line in observed.journal if line["device"] == broken.device]
        lines += [(from_rfc3339(event["at"]), event) for event in observed.events if _is_about(broken.device, event)]
        yield from (f"    {json.dumps(line)}" for _, line in sorted(lines, key=lambda line: line[0]))
    yield ""


def _is_about(device: str, event: dict[str, object]) -> bool:
    data = event["data"]
    return event["device"] == device or (isinstance(data, dict) and device in data.get("devices", ()))


def _summary(config: AlertingConfig, observed: Observations, result: CheckResult, seconds: float) -> str:
    return (
        f"alerting: {config.devices} devices, {len(observed.alerts)} alerts, {len(observed.deliveries)} deliveries,"
        f" {len(observed.mails)} mails, {seconds:.0f} s, seed {config.seed}:"
        f" {conclusion(config, result.broken)}"
    )
