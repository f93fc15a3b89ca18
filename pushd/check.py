"""``pushd-server --check``: looks at all that a start needs, and changes none of it."""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.protocol import Factory

from pushd.config import Config, ConfigError
from pushd.config_view import shown_endpoints
from pushd.core.credentials import digest
from pushd.data_dir import LOCK, DataDir
from pushd.listeners import listener
from pushd.model.errors import StoreRefused
from pushd.process import hard_file_limit
from pushd.service import polls_of
from pushd.store.database_state import DatabaseState
from pushd.store.filters import History
from pushd.store.sqlite.inspection import inspect
from pushd.store.sqlite.store import MEMORY
from pushd.store.transactions import transfer
from pushd.wiring import auth_secret, smtp_password

_TRIED = ("tcp", "tcp6", "ssl")
"""Kinds of endpoints that can be opened and closed again without a trace."""


_COPY = "; it is a restored copy, whose open commands a start makes unknown"


@frozen
class Finding:
    """One thing that was looked at."""

    subject: str
    detail: str
    is_wrong: bool = False


def check(config: Config, reactor: Any) -> int:
    """Print what a start would find; returns the exit code: 1 if it would fail."""
    findings = list(_findings(config, reactor))
    for finding in findings:
        sys.stdout.write(f"{'wrong' if finding.is_wrong else 'ok':5}  {finding.subject}: {finding.detail}\n")
    return 1 if any(finding.is_wrong for finding in findings) else 0


def _findings(config: Config, reactor: Any) -> Iterator[Finding]:
    yield Finding("options", _given(config))
    data_dir = DataDir(config.data_dir, config.store)
    in_use = _is_locked(data_dir)
    yield _checked("data directory", partial(_check_directory, data_dir.path, in_use))
    yield _checked("database", partial(_check_database, data_dir, config))
    for option, endpoints in (("devices", config.devices), ("admin", config.admin)):
        for endpoint in endpoints:
            look = partial(_check_endpoint, config.source(option), endpoint, reactor, in_use)
            yield _checked(f"{option} endpoint", look)
    yield _checked("mails", partial(_check_mails, config))
    yield _checked("log-in", partial(_check_log_in, config))
    yield Finding("open files", f"up to {polls_of(hard_file_limit())} polls can be held at once")


def _given(config: Config) -> str:
    """Where options were given: each by its source, those of the file together."""
    in_file = [name for name, source in config.sources.items() if source == f"{config.config}: {name}"]
    others = [source for name, source in config.sources.items() if name not in in_file]
    groups = [f"{', '.join(in_file)} in {config.config}"] if in_file else []
    groups += [", ".join(others)] if others else []
    return "; ".join(groups) or "all are the defaults"


def _checked(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, look())
    except (ConfigError, StoreRefused, OSError) as error:
        return Finding(subject, str(error).rstrip("."), is_wrong=True)


def _check_directory(path: Path, in_use: bool) -> str:
    if in_use:
        return f"{path} is in use by a running server"
    if path.is_dir():
        if not os.access(path, os.W_OK | os.X_OK):
            raise StoreRefused(f"{path} is not writable")
        return f"{path} is writable"
    if path.exists():
        raise StoreRefused(f"{path} is not a directory")
    parent = next(parent for parent in path.absolute().parents if parent.exists())
    if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
        raise StoreRefused(f"{path} does not exist, and cannot be made: {parent} is not writable")
    return f"{path} does not exist; a start makes it"


def _is_locked(data_dir: DataDir) -> bool:
    """Whether a server runs on the directory. The lock is held for a moment only to see whether it can be."""
    try:
        file = os.open(data_dir.path / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _check_database(data_dir: DataDir, config: Config) -> str:
    path = data_dir.database
    if path == MEMORY:
        return "in memory"
    if data_dir.is_shared:
        return _check_shared(data_dir, config)
    if not config.new:
        data_dir.check_database()
    if not Path(path).exists():
        return f"{path} does not exist; a start makes it"
    state = _inspected(data_dir, config, inspect)
    if not os.access(path, os.W_OK):
        raise StoreRefused(f"{path} is not writable")
    if 0 < state.version < state.newest:
        return f"{path} has schema {state.version}; a start brings it to {state.newest}, after a backup beside it"
    if state.version == 0:
        return f"{path} is empty; a start makes the schema"
    copy = _COPY if state.is_copy else ""
    return f"{path} has schema {state.version}{'' if config.requeue else copy}"


def _check_shared(data_dir: DataDir, config: Config) -> str:
    from pushd.store.postgres.inspection import inspect  # psycopg is optional

    state = _inspected(data_dir, config, inspect)
    if state.version == 0:
        if data_dir.is_used and not config.new:
            raise StoreRefused(f"{data_dir.shown} is empty, but {data_dir.token_path} was used with a database")
        return f"{data_dir.shown} is empty; a start makes the schema"
    if state.is_copy and not config.restored:
        raise StoreRefused(
            f"{data_dir.shown} lacks events that this node has seen; if it was restored, see --restored"
        )
    return f"{data_dir.shown} has schema {state.version}"


def _inspected(
    data_dir: DataDir, config: Config, look: Callable[[str, bytes, History], DatabaseState]
) -> DatabaseState:
    """What a database is; a start would take it."""
    token = None if config.new_token else data_dir.read_token()
    state = look(data_dir.database, digest(token or ""), data_dir.read_history())
    transfer.check(state.transfer, restored=config.restored)
    knows_token = token is None or state.knows_token is not False or config.new
    data_dir.check_contents(new=config.new, has_devices=bool(state.devices), knows_token=knows_token)
    return state


def _check_endpoint(option: str, endpoint: str, reactor: Any, in_use: bool) -> str:
    [shown] = shown_endpoints((endpoint,))
    listens = listener(option, endpoint, Factory(), reactor)
    if endpoint.removeprefix("haproxy:").partition(":")[0] not in _TRIED:
        return f"{shown} is valid"
    if in_use:
        return f"{shown} is valid; not opened, as the running server may have it"
    listens.privilegedStartService()
    listens.stopService()
    return f"{shown} can be opened"


def _check_mails(config: Config) -> str:
    if config.mail_from is None:
        return "no recipients"
    smtp_password(config)
    user = "" if config.smtp_user is None else f" as {config.smtp_user}"
    host, port = config.smtp
    return f"to {', '.join(map(str, config.mail_to))}, by {host}:{port} ({config.mail_tls}){user}; no mail was sent"


def _check_log_in(config: Config) -> str:
    if config.auth_header is None:
        return "by token or invitation"
    auth_secret(config)
    proxies = ", ".join(map(str, config.auth_proxies))
    return f"by token or invitation, or by {config.auth_header} from a proxy at {proxies}"
