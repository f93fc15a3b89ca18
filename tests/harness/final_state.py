"""The final state of a run: what the server shows and logged, and the violations that its own checks find."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define
from twisted.internet.utils import getProcessOutputAndValue

from tests.harness.admin_api import AdminApi, Json
from tests.harness.config import HarnessConfig
from tests.harness.environment import ROOT, environment

_TRACEBACK = re.compile(r"^.*Traceback \(most recent call last\).*(?:\n(?!\d{4}-).*){0,40}", re.MULTILINE)
"""Up to the next line that begins with a date."""


@define(eq=False)
class FinalState:
    """Reads it from the admin API, from the log and with ``pushd.fsck``."""

    config: HarnessConfig
    reactor: Any
    api: AdminApi

    async def commands(self) -> list[Json]:
        """All commands."""
        return await self.api.get_all("commands")

    async def events(self) -> list[Json]:
        """All events."""
        items, after = await self.api.events()
        page = items
        while page:
            page, after = await self.api.events(after)
            items = items + page
        return items

    async def online_violations(self) -> list[Json]:
        """The integrity violations that the running server reports."""
        return await self.api.violations()

    async def offline_violations(self) -> list[Json]:
        """The integrity violations that ``pushd.fsck`` finds after the server has stopped."""
        return await self.violations_of(str(self.config.database))

    async def violations_of(self, database: str) -> list[Json]:
        """The integrity violations that ``pushd.fsck`` finds in a database, a file or a URL."""
        command = ["-m", "pushd.fsck", database]
        out, err, code = await getProcessOutputAndValue(
            sys.executable, command, env=environment(), path=str(ROOT), reactor=self.reactor
        )
        if (code, out, err) == (0, b"No inconsistencies.\n", b""):
            return []
        violations = [json.loads(line) for line in out.splitlines()] if code else []
        if (code, err) == (1, b"") and violations:
            return violations
        return [*violations, {"what": err.decode(), "command": None}]

    def tracebacks(self) -> Iterator[str]:
        """Every traceback in the server's log."""
        return tracebacks_in(self.config.log)


def tracebacks_in(log: Path) -> Iterator[str]:
    """Every traceback in a log."""
    for found in _TRACEBACK.finditer(log.read_text("utf-8", "replace")):
        yield found.group()
