"""Makes the servers to measure, and knows which cannot be measured on this machine."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp

from attrs import evolve, field, frozen

from benchmarks import install
from benchmarks.machine import Cores
from benchmarks.server_names import AIOHTTP, EXPRESS, NCHAN, PUSHD, PUSHD_BEFORE, REDIS, STARLETTE
from benchmarks.servers import Server
from benchmarks.start_commands import START_COMMANDS, Location, ServerOptions
from tests.harness.environment import free_ports

_REQUIREMENTS: Sequence[tuple[Callable[[], bool], Sequence[str], str]] = (
    (install.has_python_packages, (AIOHTTP, STARLETTE), "aiohttp, uvloop, uvicorn and starlette from PyPI"),
    (install.has_express, (EXPRESS,), "Node.js, and express from npm"),
    (install.has_nchan, (NCHAN,), "Debian's nginx and libnginx-mod-nchan"),
    (install.has_redis, (REDIS,), "Debian's redis-server"),
)


@frozen(kw_only=True)
class ServerFactory:
    """Makes servers, each in a directory of its own below ``directory``."""

    directory: Path
    cores: Cores
    slow_fsync: Path
    """The library that changes how long fsync takes."""
    generator: Path
    prepared: Path
    """A data directory with registered devices, of which pushd has a copy."""
    before: Path | None = None
    """Another checkout of pushd, with its virtual environment, to compare with."""
    prepared_before: Path | None = None
    """Its prepared data directory, which it has made itself: it may have another schema."""
    only: Sequence[str] = field(default=())
    """The names of the servers to measure; empty: all."""

    def missing(self) -> Mapping[str, str]:
        """The selected servers that cannot be measured here, and what they require."""
        return {
            name: requirement
            for is_met, names, requirement in _REQUIREMENTS
            if not is_met()
            for name in names
            if self._is_selected(name)
        }

    def available(self, names: Sequence[str]) -> Sequence[str]:
        """Those of these servers that are selected and can be measured, and pushd before beside pushd."""
        missing = self.missing()
        found = [name for name in names if self._is_selected(name) and name not in missing]
        return [*found, PUSHD_BEFORE] if self.before is not None and PUSHD in found else found

    def make(self, name: str, options: ServerOptions) -> Server:
        """Make a server; it is not started."""
        port, admin_port = free_ports(2)
        kind = PUSHD if name == PUSHD_BEFORE else name
        location = Location(
            directory=Path(mkdtemp(prefix="server-", dir=self.directory)),
            port=port,
            admin_port=admin_port if kind == PUSHD else port,
            options=options,
            generator=self.generator,
            prepared=self.prepared,
        )
        if name == PUSHD_BEFORE and self.before is not None and self.prepared_before is not None:
            location = evolve(location, checkout=self.before, prepared=self.prepared_before)
        command = START_COMMANDS[name](location)
        return Server(
            kind, name, evolve(command, env={**command.env, **self._fsync_env(options)}), location, self.cores
        )

    def _is_selected(self, name: str) -> bool:
        return not self.only or name in self.only

    def _fsync_env(self, options: ServerOptions) -> Mapping[str, str]:
        if not options.fsync_ms:
            return {}
        return {"LD_PRELOAD": str(self.slow_fsync), "BENCH_FSYNC_MS": f"{options.fsync_ms:g}"}
