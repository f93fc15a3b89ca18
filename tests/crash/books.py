"""The books: what the server shows when everything has settled, and what its own checks find."""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from attrs import define
from twisted.internet.utils import getProcessOutputAndValue

from tests.crash.api import Api, Json
from tests.crash.server import Premises
from tests.crash.setting import HOME, environment

_TRACEBACK = re.compile(r"^.*Traceback \(most recent call last\).*(?:\n(?!\d{4}-).*){0,40}", re.MULTILINE)
"""Up to the next line that begins with a date."""


@define(eq=False)
class Books:
    """Reads them."""

    setting: Premises
    reactor: Any
    api: Api

    async def commands(self) -> list[Json]:
        """All commands."""
        return await self.api.all("commands")

    async def feed(self) -> list[Json]:
        """The whole feed."""
        items, after = await self.api.feed()
        page = items
        while page:
            page, after = await self.api.feed(after)
            items = items + page
        return items

    async def live_flaws(self) -> list[Json]:
        """What the running server finds wrong with what it keeps."""
        flaws: list[Json] = (await self.api.get("fsck"))["items"]
        return flaws

    async def offline_flaws(self) -> list[Json]:
        """What is found wrong with the database of a server that does not run."""
        command = ["-m", "pushd.fsck", str(self.setting.database)]
        out, err, code = await getProcessOutputAndValue(
            sys.executable, command, env=environment(), path=str(HOME), reactor=self.reactor
        )
        flaws = [json.loads(line) for line in out.splitlines()]
        return flaws if (code, err) == (int(bool(flaws)), b"") else [*flaws, {"what": err.decode(), "command": None}]

    def accidents(self) -> Iterator[str]:
        """Every traceback in the server's log."""
        for found in _TRACEBACK.finditer(self.setting.log.read_text("utf-8", "replace")):
            yield found.group()
