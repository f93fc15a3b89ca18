"""The evidence: what devices and the operator wrote down, and what the server says, put together order by order."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from attrs import field, frozen

from pushd.model.timestamps import from_rfc3339
from tests.crash.api import Json


@frozen(kw_only=True)
class Evidence:
    """All that is known when a run is over, as it was written and read."""

    operator: Sequence[Json]
    """Lines of the operator's journal."""
    devices: Sequence[Json]
    """Lines of the devices' journal."""
    commands: Sequence[Json] = ()
    """All commands, as the server shows them."""
    feed: Sequence[Json] = ()
    followed: Sequence[Json] = ()
    """The feed as it was read meanwhile."""
    flaws: Sequence[Json] = ()
    """What the server's own checks find wrong, and with which command."""
    accidents: Sequence[str] = ()
    """What happened to the server that nobody did to it."""
    are_books_read: bool = True
    """Whether the server could be asked in the end."""


@frozen(kw_only=True)
class Case:
    """One order, and everything that is known about it."""

    order: Json
    """The line in which the operator says what it sends."""
    accepted: Sequence[Json] = ()
    cancels: Sequence[Json] = ()
    command: Json | None = None
    events: Sequence[Json] = ()
    runs: Sequence[Json] = ()
    """The lines in which a device says that it ran it; each has its ``part``."""
    reports: Sequence[Json] = ()
    """The lines in which a device says that its report of such a run was answered with 200."""
    refusals: Sequence[Json] = ()

    @property
    def mark(self) -> str:
        """The order's mark."""
        return str(self.order["mark"])

    def story(self) -> list[str]:
        """Everything about it, in order of time, and how the server shows it now."""
        written = chain([self.order], self.accepted, self.refusals, self.cancels, self.runs, self.reports)
        lines = [(from_rfc3339(line["time"]), f"journal  {json.dumps(line)}") for line in written]
        lines += [(from_rfc3339(event["at"]), f"feed     {json.dumps(event)}") for event in self.events]
        lines.sort(key=lambda line: line[0])
        return [text for _, text in lines] + [f"server   {json.dumps(self.command)}"]


@frozen(kw_only=True)
class Dossier:
    """All cases, and what belongs to none."""

    evidence: Evidence
    cases: Sequence[Case]
    strays: Sequence[Json] = field(default=())
    """What devices ran though nobody sent it, and commands of the server that nobody sent."""


def read_journal(path: Path) -> list[Json]:
    """The lines of a journal; none if it was never begun."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def open_dossier(evidence: Evidence) -> Dossier:
    """Put together what belongs together."""
    written = _by(evidence.operator, "did")
    sends = {line["mark"]: line for line in written["sends"]}
    commands = {command["idempotency_key"]: command for command in evidence.commands}
    accepted, cancels, refusals = (_by(written[did], "mark") for did in ("accepted", "cancels", "refused"))
    events = _by(evidence.feed, "command")
    runs, reports, strays = _deeds(evidence, _owners(written, evidence.commands))
    cases = [
        Case(
            order=order,
            accepted=accepted[mark],
            refusals=refusals[mark],
            cancels=cancels[mark],
            command=commands.get(mark),
            events=events[commands[mark]["id"]] if mark in commands else (),
            runs=runs[mark],
            reports=reports[mark],
        )
        for mark, order in sends.items()
    ]
    strays += [command for mark, command in commands.items() if mark not in sends]
    return Dossier(evidence=evidence, cases=cases, strays=strays)


_Lines = Mapping[str, list[Json]]


def _by(lines: Iterable[Json], name: str) -> _Lines:
    found: defaultdict[str, list[Json]] = defaultdict(list)
    for line in lines:
        found[line[name]].append(line)
    return found


def _owners(written: _Lines, commands: Iterable[Json]) -> dict[str, tuple[str, str]]:
    """The mark, and the part, that a device means by what it writes down: a query string, or a command's id."""
    owners = {part: (order["mark"], part) for order in written["sends"] for part in order["parts"]}
    ids = {command["id"]: command["idempotency_key"] for command in commands}
    ids |= {line["command"]: line["mark"] for line in written["accepted"]}
    return owners | {command: (mark, mark) for command, mark in ids.items()}


def _deeds(evidence: Evidence, owners: Mapping[str, tuple[str, str]]) -> tuple[_Lines, _Lines, list[Json]]:
    """What devices ran, and what they reported, by mark; and what they ran that has none."""
    runs, reports, strays = defaultdict(list), defaultdict(list), []
    tasks: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for line in evidence.devices:
        task = (line["device"], line.get("uuid") or line["command"])
        if line["did"] == "reported":
            for mark in tasks[task]:
                reports[mark].append(line)
            continue
        mark, part = owners.get(line.get("query") or line.get("command", ""), ("", ""))
        if not mark:
            strays.append(line)
            continue
        runs[mark].append({**line, "part": part})
        tasks[task][mark] = None
    return runs, reports, strays
