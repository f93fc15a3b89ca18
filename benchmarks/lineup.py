"""The line-up: who is measured, and who is missing."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp

from attrs import evolve, field, frozen

from benchmarks import install
from benchmarks.commands import COMMANDS, SendOptions, Spot
from benchmarks.machine import Cores
from benchmarks.servers import Server
from benchmarks.who import AIOHTTP, EXPRESS, NCHAN, REDIS_ALWAYS, STARLETTE, US
from tests.harness.environment import free_ports

_NEEDS: Sequence[tuple[Callable[[], bool], Sequence[str], str]] = (
    (install.has_python_packages, (AIOHTTP, STARLETTE), "aiohttp, uvloop, uvicorn and starlette from PyPI"),
    (install.has_express, (EXPRESS,), "Node.js, and express from npm"),
    (install.has_nchan, (NCHAN,), "Debian's nginx and libnginx-mod-nchan"),
    (install.has_redis, (REDIS_ALWAYS,), "Debian's redis-server"),
)


@frozen(kw_only=True)
class Lineup:
    """Makes servers, each in a directory of its own below ``place``."""

    place: Path
    cores: Cores
    other_fsync: Path
    generator: Path
    known: Path
    """A data directory whose devices pushd knows from the start."""
    only: Sequence[str] = field(default=())
    """Who is measured; empty: all."""

    def missing(self) -> Mapping[str, str]:
        """Who cannot be measured here, and what that takes."""
        return {name: what for has, names, what in _NEEDS if not has() for name in names if self._wanted(name)}

    def present(self, names: Sequence[str]) -> Sequence[str]:
        """Those of these who are wanted and can be measured."""
        missing = self.missing()
        return [name for name in names if self._wanted(name) and name not in missing]

    def server(self, name: str, terms: SendOptions) -> Server:
        """A server, not yet started."""
        place = Path(mkdtemp(prefix="server-", dir=self.place))
        port, put_port = free_ports(2)
        if name != US:
            put_port = port
        spot = Spot(place=place, port=port, put_port=put_port, terms=terms, generator=self.generator, known=self.known)
        command = COMMANDS[name](spot)
        return Server(name, name, evolve(command, env={**command.env, **self._otherwise(terms)}), spot, self.cores)

    def _wanted(self, name: str) -> bool:
        return not self.only or name in self.only

    def _otherwise(self, terms: SendOptions) -> Mapping[str, str]:
        if not terms.fsync_ms:
            return {}
        return {"LD_PRELOAD": str(self.other_fsync), "BENCH_FSYNC_MS": f"{terms.fsync_ms:g}"}
