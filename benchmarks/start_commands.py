"""How each server is started, and which requests it understands."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import copytree

from attrs import field, frozen

from benchmarks import install, server_names
from benchmarks.machine import ROOT
from benchmarks.requests import CONTROL_ID, PEER, PLAIN, REDIS_STREAM, SERVER_EYE, Requests, control_id, server_eye

_PROGRAMS = Path(__file__).with_name("peers")
_MAX_CONNECTIONS = 20000
"""For servers that need a limit."""

NO_FSYNC = -1.0
"""In place of milliseconds: fsync does nothing."""


@frozen(kw_only=True)
class ServerOptions:
    """How a server is configured."""

    hold: float = 0
    """Seconds for which it holds a poll; 0: it answers at once."""
    fsync_ms: float = 0
    """Milliseconds that each fsync takes in addition; :data:`NO_FSYNC`: it does nothing."""
    data_dir: Path | None = None
    """The data directory of pushd; by default a copy of the prepared one."""
    store: str = ""
    """The URL of the database of pushd; empty: that of its data directory."""
    token_dir: Path | None = None
    """The data directory with the admin token; by default that of the server."""


@frozen(kw_only=True)
class Location:
    """Where a server runs."""

    directory: Path
    port: int
    admin_port: int
    options: ServerOptions
    generator: Path
    """The load generator's program, which also contains the trivial server."""
    prepared: Path
    """The data directory of which pushd has a copy."""
    checkout: Path = ROOT
    """The directory of pushd's code and virtual environment."""

    @property
    def data_dir(self) -> Path:
        """The data directory of pushd."""
        return self.options.data_dir or self.directory / "data"

    @property
    def token_dir(self) -> Path:
        """The directory that has the admin token of pushd."""
        return self.options.token_dir or self.data_dir

    @property
    def arguments(self) -> Sequence[str]:
        """The arguments of most other servers: port, and seconds for which a poll is held."""
        return [str(self.port), f"{self.options.hold:g}"]


@frozen(kw_only=True)
class StartCommand:
    """How a server is started."""

    arguments: Sequence[str]
    env: Mapping[str, str] = field(factory=dict)
    cwd: Path = ROOT
    ready: str = ""
    """A path that is answered with 200 when the server is ready; without it, it is ready when its port is open."""


def _pushd(location: Location) -> StartCommand:
    if location.options.data_dir is None and not location.options.store:
        copytree(location.prepared, location.data_dir)
    own, checkout = Path(sys.executable).with_name("twistd"), location.checkout
    program = own if checkout == ROOT else checkout / ".venv" / "bin" / "twistd"
    arguments = [
        str(program),
        "--nodaemon",
        "--pidfile=",
        "pushd",
        f"--data-dir={location.data_dir}",
        f"--devices=tcp:{location.port}:interface=127.0.0.1",
        f"--admin=tcp:{location.admin_port}:interface=127.0.0.1",
        "--admission=open",
        f"--hold=servereye={location.options.hold:g}",
        f"--hold=controlid={location.options.hold:g}",
        *([f"--store={location.options.store}"] if location.options.store else []),
    ]
    return StartCommand(arguments=arguments, env={"PYTHONPATH": str(checkout)}, cwd=checkout, ready="/readyz")


def _trivial(location: Location) -> StartCommand:
    hold = int(location.options.hold > 0)
    return StartCommand(arguments=[str(location.generator), "trivial-server", f"port={location.port}", f"hold={hold}"])


def _python(python: Path | str, program: str) -> Callable[[Location], StartCommand]:
    return lambda location: StartCommand(arguments=[str(python), str(_PROGRAMS / program), *location.arguments])


def _klein_sqlite(location: Location) -> StartCommand:
    program, database = _PROGRAMS / "klein_sqlite.py", location.directory / "commands.sqlite"
    return StartCommand(arguments=[sys.executable, str(program), *location.arguments, str(database)])


def _express(location: Location) -> StartCommand:
    env = {"NODE_PATH": str(install.NODE_MODULES), "NODE_ENV": "production"}
    return StartCommand(arguments=["node", str(_PROGRAMS / "express.js"), *location.arguments], env=env)


def _nchan(location: Location) -> StartCommand:
    values = {
        "PORT": str(location.port),
        "DIRECTORY": str(location.directory),
        "KIND": "longpoll" if location.options.hold else "interval-poll",
        "MODULE": str(install.NCHAN),
        "FILES": str(_MAX_CONNECTIONS),
    }
    text = (_PROGRAMS / "nchan.conf").read_text()
    for name, value in values.items():
        text = text.replace(name, value)
    configuration = location.directory / "nginx.conf"
    configuration.write_text(text)
    return StartCommand(arguments=[install.NGINX, "-p", str(location.directory), "-c", str(configuration)])


def _redis(location: Location) -> StartCommand:
    arguments = ["redis-server", "--port", str(location.port), "--bind", "127.0.0.1"]
    arguments += ["--dir", str(location.directory), "--save", "", "--appendonly", "yes", "--appendfsync", "always"]
    # part of the load comes from other loopback addresses than 127.0.0.1, which the protected mode refuses
    arguments += ["--maxclients", str(_MAX_CONNECTIONS), "--protected-mode", "no"]
    return StartCommand(arguments=arguments)


START_COMMANDS: Mapping[str, Callable[[Location], StartCommand]] = {
    server_names.PUSHD: _pushd,
    server_names.PUSHD_BEFORE: _pushd,
    server_names.TRIVIAL: _trivial,
    server_names.AIOHTTP: _python(install.PYTHON, "aiohttp_uvloop.py"),
    server_names.STARLETTE: _python(install.PYTHON, "starlette_uvicorn.py"),
    server_names.KLEIN: _python(sys.executable, "stock_klein.py"),
    server_names.TWISTED: _python(sys.executable, "bare_twisted.py"),
    server_names.EXPRESS: _express,
    server_names.NCHAN: _nchan,
    server_names.KLEIN_SQLITE: _klein_sqlite,
    server_names.REDIS: _redis,
}


def requests_of(name: str, location: Location) -> Mapping[str, Requests]:
    """The requests that a running server understands, by dialect."""
    if name != server_names.PUSHD:
        return {SERVER_EYE: {server_names.REDIS: REDIS_STREAM, server_names.NCHAN: PLAIN}.get(name, PEER)}
    token = (location.token_dir / "admin.token").read_text("ascii").strip()
    return {SERVER_EYE: server_eye(token), CONTROL_ID: control_id(token)}
