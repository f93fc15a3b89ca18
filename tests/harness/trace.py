"""Traces: everything that was observed about each command, from the journals, the events and the final state."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from attrs import field, frozen

from pushd.model.timestamps import from_rfc3339
from tests.harness.admin_api import Json


@frozen(kw_only=True)
class Observations:
    """All that is known when a run is over, as it was recorded and read."""

    operator: Sequence[Json] = ()
    """Lines of the operator's journal."""
    devices: Sequence[Json] = ()
    """Lines of the devices' journal."""
    commands: Sequence[Json] = ()
    """All commands, as the server shows them at the end."""
    events: Sequence[Json] = ()
    """All events, as the server shows them at the end."""
    followed: Mapping[str, Sequence[Json]] = field(factory=dict)
    """The events as they were read during the run, by the name of the reader."""
    violations: Sequence[Json] = ()
    """The integrity violations that the server's own checks found."""
    failures: Sequence[str] = ()
    """Tracebacks, and exits of the server that no signal caused."""
    has_final_state: bool = True
    """Whether the server still answered at the end."""


@frozen(kw_only=True)
class CommandTrace:
    """Everything that was observed about one command."""

    request: Json
    """The journal line that the operator wrote before it sent the command."""
    accepted: Sequence[Json] = ()
    cancels: Sequence[Json] = ()
    command: Json | None = None
    """The command in its final state; None if the server does not have it."""
    events: Sequence[Json] = ()
    runs: Sequence[Json] = ()
    """The lines in which a device records that it ran the command; each has its ``part``."""
    reports: Sequence[Json] = ()
    """The lines in which a device records that its report of such a run was answered with 200."""
    refusals: Sequence[Json] = ()
    changes: Sequence[Json] = ()
    """The lines that say that another program has changed it."""
    suspensions: Sequence[tuple[Json, Json]] = ()
    """Lines from when the server was suspended after it had claimed the command, and from when it was resumed."""

    @property
    def key(self) -> str:
        """The command's idempotency key."""
        return str(self.request["key"])

    def timeline(self) -> list[str]:
        """All of it as lines in order of time, and the final state last."""
        by_operator = chain([self.request], self.accepted, self.refusals, self.cancels, self.changes)
        recorded = chain(by_operator, *self.suspensions, self.runs, self.reports)
        lines = [(from_rfc3339(line["time"]), f"journal  {json.dumps(line)}") for line in recorded]
        lines += [(from_rfc3339(event["at"]), f"event    {json.dumps(event)}") for event in self.events]
        lines.sort(key=lambda line: line[0])
        return [text for _, text in lines] + [f"server   {json.dumps(self.command)}"]


@frozen(kw_only=True)
class Traces:
    """The traces of all commands, and what belongs to none."""

    observations: Observations
    commands: Sequence[CommandTrace]
    unmatched: Sequence[Json] = field(default=())
    """Commands that the server has, or a device ran, but that were never requested."""


def build_traces(observations: Observations) -> Traces:
    """Match what was observed to the commands that the operator requested."""
    recorded = _group_by(observations.operator, "did")
    requests = {line["key"]: line for line in recorded["send"]}
    commands = {command["idempotency_key"]: command for command in observations.commands}
    accepted, cancels, refusals, changes, suspended, resumed = (
        _group_by(recorded[did], "key") for did in ("accepted", "cancel", "refused", "changed", "suspended", "resumed")
    )
    events = _group_by(observations.events, "command")
    runs, reports, unmatched = _device_actions(observations, _keys_by_name(recorded, observations.commands))
    traces = [
        CommandTrace(
            request=request,
            accepted=accepted[key],
            refusals=refusals[key],
            cancels=cancels[key],
            changes=changes[key],
            suspensions=list(zip(suspended[key], resumed[key], strict=False)),
            command=commands.get(key),
            events=events[commands[key]["id"]] if key in commands else (),
            runs=runs[key],
            reports=reports[key],
        )
        for key, request in requests.items()
    ]
    unmatched += [command for key, command in commands.items() if key not in requests]
    return Traces(observations=observations, commands=traces, unmatched=unmatched)


_Lines = Mapping[str, list[Json]]


def _group_by(lines: Iterable[Json], name: str) -> _Lines:
    found: defaultdict[str, list[Json]] = defaultdict(list)
    for line in lines:
        found[line[name]].append(line)
    return found


def _keys_by_name(recorded: _Lines, commands: Iterable[Json]) -> dict[str, tuple[str, str]]:
    """The key and the part for each name that a device may record: a query string, or a command's id."""
    keys = {part: (request["key"], part) for request in recorded["send"] for part in request["parts"]}
    ids = {command["id"]: command["idempotency_key"] for command in commands}
    ids |= {line["command"]: line["key"] for line in recorded["accepted"]}
    return keys | {command: (key, key) for command, key in ids.items()}


def _device_actions(
    observations: Observations, keys: Mapping[str, tuple[str, str]]
) -> tuple[_Lines, _Lines, list[Json]]:
    """What devices ran and what they reported, by key, and what they ran that has no key."""
    runs, reports, unmatched = defaultdict(list), defaultdict(list), []
    transactions: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for line in observations.devices:
        if line["did"] not in ("ran", "reported"):
            continue
        transaction = (line["device"], line.get("uuid") or line["command"])
        if line["did"] == "reported":
            for key in transactions[transaction]:
                reports[key].append(line)
            continue
        key, part = keys.get(line.get("query") or line.get("command", ""), ("", ""))
        if not key:
            unmatched.append(line)
            continue
        runs[key].append({**line, "part": part})
        transactions[transaction][key] = None
    return runs, reports, unmatched
