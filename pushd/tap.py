"""``pushd-server``: the command line, and the service that is built from it."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.python import usage

from pushd.check import check
from pushd.config import OPTIONS, RENAMED, Config, ConfigError, Option, read_config, renamed
from pushd.lib.twisted_patches import (
    parse_request_lines_at_once,
    report_daemon_errors_whole,
    skip_log_context,
    use_monotonic_clock,
)
from pushd.process import exit_with_error, install_signal_handlers, print_version
from pushd.service import build_service


class Options(usage.Options):
    """The command line of the server; each of :data:`pushd.config.OPTIONS` is a method ``opt_*`` of this class."""

    longdesc = (
        "Holds the long polls of devices and pushes commands to them. The first start writes an admin token to"
        " DIR/admin.token, where pushctl finds it. Options may also be given as environment variables (PUSHD_KEEP=90)"
        " and in a TOML file (--config)."
    )

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, Any] = {}
        """By the option's name: True for a flag, a list if the option is repeatable, otherwise a text."""

    def getSynopsis(self) -> str:
        """Both ways to start the server."""
        return "Usage: pushd-server [options], or twistd [twistd options] pushd [options]"

    def parseArgs(self, *arguments: str) -> None:
        """Refuse arguments: there are only options.

        :raises UsageError: naming the first.
        """
        if arguments:
            raise usage.UsageError(f"unexpected argument {arguments[0]!a}: all options begin with --")

    def opt_version(self) -> NoReturn:
        """Show the versions of pushd and Twisted, and exit."""
        print_version()

    def config(self, environ: Mapping[str, str]) -> Config:
        """All options, checked.

        :raises ConfigError: naming the option that is wrong.
        """
        return read_config(self.given, environ)

    def parseOptions(self, options: Any = None) -> None:
        """Parse the command line.

        :raises CannotStart: with one line, if it is wrong.
        """
        try:
            for argument in options or ():
                _check_name(argument)
            super().parseOptions(options)
        except (usage.UsageError, ConfigError) as error:
            _refuse(error)


def _check_name(argument: str) -> None:
    """Refuse the old name of an option; getopt would take ``--mail-remind`` for an abbreviation of the new one.

    :raises ConfigError: that gives the new name.
    """
    old = argument.removeprefix("--").partition("=")[0]
    if argument.startswith("--") and old in RENAMED:
        raise renamed(f"--{old}", f"--{RENAMED[old]}")


def _method(option: Option) -> Callable[..., None]:
    """What Twisted calls when the option is on the command line; its docstring is the help."""

    def flag(self: Options) -> None:
        self.given[option.name] = True

    def append(self: Options, value: str) -> None:
        self.given.setdefault(option.name, []).append(value)

    def keep_last(self: Options, value: str) -> None:
        self.given[option.name] = value

    method: Callable[..., None] = flag if option.is_flag else append if option.repeatable else keep_last
    method.__doc__ = _help(option)
    return method


def _help(option: Option) -> str:
    value = f"{option.metavar}: " if option.metavar else ""
    repeatable = " May be repeated." if option.repeatable else ""
    default = f" [default: {option.default}]" if option.default else ""
    return f"{value}{option.help}{repeatable}{default}"


for _option in OPTIONS.values():
    setattr(Options, f"opt_{_option.name.replace('-', '_')}", _method(_option))


def _refuse(error: Exception) -> NoReturn:
    exit_with_error(f"{error} (see pushd-server --help)")


def makeService(options: Options) -> IService:
    """Build the service; nothing is opened before it starts.

    :raises CannotStart: with one line, if an option is wrong.
    :raises SystemExit: after a check, if that was asked for.
    """
    from twisted.internet import reactor

    try:
        config = options.config(os.environ)
        if config.check:
            raise SystemExit(check(config, reactor))
        service = build_service(config, reactor, time.time)
    except ConfigError as error:
        _refuse(error)
    use_monotonic_clock(reactor)
    skip_log_context(reactor)
    parse_request_lines_at_once()
    report_daemon_errors_whole()
    install_signal_handlers(reactor)
    return service
