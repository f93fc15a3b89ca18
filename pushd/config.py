"""Every option of the server once: its name, how its value is read, its default and its help.

The command line, the environment variables, ``pushd.toml`` and the list of options in the documentation are made from
the fields of :class:`Config`.
"""

# ruff: noqa: RUF009 - each call of _option makes a field of attrs

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from attrs import field, fields, frozen

from pushd.core.devices.admission import DEFAULT_MAX_PENDING, AdmissionMode
from pushd.core.polling.hold_time import MAX_HOLD
from pushd.http.client_address import UNIX
from pushd.lib.environment import parse_flag, parse_list, variable
from pushd.lib.ip_networks import Network, Networks, is_local
from pushd.model.alert import AlertRules
from pushd.model.links import Links
from pushd.notifications.mail.recipients import Recipient
from pushd.notifications.mail.smtp import Tls
from pushd.option_values import (
    DIALECTS,
    Reader,
    list_of,
    one_of,
    read_base,
    read_base_url,
    read_count,
    read_days,
    read_endpoints,
    read_flag,
    read_flapping,
    read_header_name,
    read_holds,
    read_hours,
    read_mail_address,
    read_network,
    read_origin,
    read_path,
    read_positive,
    read_proxy,
    read_recipients,
    read_seconds,
    read_server,
    read_store,
    read_text,
    read_url,
)

RENAMED = {"pulse-url": "heartbeat-url", "mail-remind": "mail-reminder-hours"}
"""Options of earlier versions and their new names."""


class ConfigError(Exception):
    """An option is wrong; the message is one line that names the option and where it was given."""


@frozen(kw_only=True)
class Option:
    """One option, as the command line, the environment, the file and the documentation know it."""

    name: str
    """As on the command line, without the dashes."""
    field: str
    """The field of :class:`Config` that holds the value."""
    read: Reader[Any]
    metavar: str
    """What stands for the value in the help; empty for a flag, which takes none."""
    repeatable: bool
    default: str
    """As text for the help; empty if there is none."""
    help: str

    @property
    def variable(self) -> str:
        """The name of the environment variable."""
        return variable(self.name)

    @property
    def is_flag(self) -> bool:
        """Whether the option takes no value on the command line."""
        return not self.metavar


def _option(
    read: Reader[Any],
    metavar: str,
    help: str,  # noqa: A002 - as everywhere
    *,
    default: object = None,
    shown: str | None = None,
    name: str | None = None,
    repeatable: bool = False,
    repr: bool = True,  # noqa: A002 - as in attrs
) -> Any:
    """A field of :class:`Config` that an option sets.

    ``default`` is a value as it would be given; ``shown`` is its text where it is not the value's own. The name is
    the field's unless another is given.
    """
    if shown is None:
        shown = ", ".join(default) if isinstance(default, list) else str(default or "")
    about = {"name": name, "read": read, "metavar": metavar, "help": help, "repeatable": repeatable, "default": shown}
    if default is None:
        return field(default=None, metadata=about, repr=repr)
    return field(factory=partial(read, default), metadata=about, repr=repr)


_RULES = AlertRules()


@frozen(kw_only=True)
class Config:
    """The checked options; durations are in seconds."""

    data_dir: Path = _option(read_path, "DIR", "Directory that holds all state.", default="./pushd-data")
    store: str | None = _option(
        read_store,
        "FILE|URL",
        "SQLite file, also as sqlite:///PATH; or postgresql://USER@HOST/DATABASE, which several servers may share.",
        shown="DIR/pushd.sqlite",
    )
    devices: tuple[str, ...] = _option(
        read_endpoints,
        "ENDPOINT",
        "Twisted endpoint of the device port, TCP or TLS; without an interface, on every address (IPv4 and IPv6).",
        default=["tcp:8080"],
        repeatable=True,
    )
    admin: tuple[str, ...] = _option(
        read_endpoints,
        "ENDPOINT",
        "Twisted endpoint of the admin API.",
        default=["tcp:8081:interface=127.0.0.1"],
        repeatable=True,
    )
    admission: AdmissionMode = _option(
        one_of(AdmissionMode),
        "MODE",
        "Admission of unknown devices: approve (pending until an operator approves them), open (approved at once) or"
        " closed (refused, not recorded).",
        default="approve",
    )
    max_pending: int = _option(
        read_count,
        "N",
        "Maximum number of pending devices; further ones are not recorded, and their polls get no command.",
        default=str(DEFAULT_MAX_PENDING),
    )
    require_proof: bool = _option(
        read_flag,
        "",
        "Send commands only to devices with authentication: a secret path, an API key or an allow list.",
        default=False,
    )
    bases: tuple[bytes, ...] = _option(
        list_of(read_base),
        "PATH",
        "URL prefix for Control iD, such as /controlid, below which /push and /result are served too.",
        default=[],
        name="base",
        repeatable=True,
    )
    holds: Mapping[str, float] = _option(
        read_holds,
        "DIALECT=SECONDS",
        f"Long-poll timeout of a dialect, 0 to {MAX_HOLD:g} seconds, until the server has learned that of the device.",
        default=[],
        shown=", ".join(f"{dialect.name}={dialect.hold:g}" for dialect in DIALECTS),
        name="hold",
        repeatable=True,
    )
    batch: int = _option(
        read_positive,
        "N",
        "Number of commands that are sent to a Control iD device in one batch; old firmware supports only 1. The batch"
        " of a device takes precedence.",
        default="1",
    )
    keep: int = _option(
        read_days,
        "DAYS",
        "Retention in days of finished commands, cleared alerts, events and orphan results.",
        default="30",
    )
    keep_audit: int = _option(
        read_days,
        "DAYS",
        "Retention in days of the audit log.",
        default="400",
    )
    trusted_proxies: tuple[Network | str, ...] = _option(
        list_of(read_proxy),
        "CIDR|unix",
        "Network of reverse proxies whose X-Forwarded-For is trusted; unix stands for those that connect to a Unix"
        " socket.",
        default=[],
        name="trusted-proxy",
        repeatable=True,
    )
    auth_header: str | None = _option(
        read_header_name,
        "NAME",
        "Header in which a reverse proxy names the person whom it has authenticated, such as X-Forwarded-User; needs"
        " --auth-proxy.",
    )
    auth_proxies: tuple[Network | str, ...] = _option(
        list_of(read_proxy),
        "CIDR|unix",
        "Network of reverse proxies that authenticate people; unix stands for those that connect to a Unix socket.",
        default=[],
        name="auth-proxy",
        repeatable=True,
    )
    auth_secret_file: Path | None = _option(
        read_path,
        "FILE",
        "File with a secret in its only line, which such a proxy sends as X-Pushd-Auth-Secret; required if it connects"
        " by TCP; use chmod 600.",
    )
    alert_window: float = _option(
        read_seconds,
        "SECONDS",
        "Grace period of alerts: how long a device may be offline before an alert is raised; devices behind one"
        " address that go offline within this time are one alert.",
        default=f"{_RULES.window:g}",
    )
    flapping: tuple[int, float] = _option(
        read_flapping,
        "CHANGES/SECONDS",
        "Flap detection: a device that goes offline and online this often is one alert, not one per outage.",
        default=f"{_RULES.changes}/{_RULES.within:g}",
    )
    webhook_allow: Networks = _option(
        list_of(read_network),
        "CIDR",
        "Private networks webhooks may reach (SSRF guard), such as 10.20.0.0/16; without it only public addresses.",
        default=[],
        repeatable=True,
    )
    mail_to: tuple[Recipient, ...] = _option(
        read_recipients,
        "ADDRESS[;tag=TAG|;site=SITE]",
        "Recipient of alert mails, of all or of devices with a tag or of a site; without one no mails are sent.",
        default=[],
        repeatable=True,
    )
    mail_from: str | None = _option(
        read_mail_address, "ADDRESS", "Sender of alert mails; required if there are recipients."
    )
    mail_reminder_hours: float = _option(
        read_hours,
        "HOURS",
        "Hours until the next reminder of an alert that is open and not acknowledged; 0 turns reminders off.",
        default="24",
    )
    smtp: tuple[str, int] = _option(
        read_server, "HOST:PORT", "SMTP server; an IPv6 address in brackets.", default="localhost:25"
    )
    smtp_tls: Tls | None = _option(
        one_of(Tls),
        "MODE",
        "Encryption of SMTP: starttls (mandatory STARTTLS), tls (from the first byte, as on port 465) or none.",
        shown="starttls; none for a server on this machine",
    )
    smtp_user: str | None = _option(read_text, "NAME", "SMTP user name; without it there is no authentication.")
    smtp_password_file: Path | None = _option(
        read_path, "FILE", "File with the SMTP password in its only line, read at the start; use chmod 600."
    )
    device_url: str | None = _option(
        read_base_url,
        "URL",
        "URL of the device port as devices reach it, such as https://push.example.org; pushctl provision puts it into"
        " their configuration.",
    )
    base_url: str | None = _option(
        read_base_url,
        "URL",
        "URL at which operators reach the server, such as https://pushd.example.org; mails and messages link to it.",
    )
    heartbeat_url: str | None = _option(
        read_url,
        "URL",
        "URL to request every minute while all tasks make progress (dead man's switch), in which {node} stands for the"
        " name of the process; it is never logged.",
        repr=False,
    )
    cors_origins: tuple[str, ...] = _option(
        list_of(read_origin),
        "ORIGIN",
        "Origin of web pages that may call the API with a token (CORS), such as https://app.example.org.",
        default=[],
        name="cors-origin",
        repeatable=True,
    )
    new: bool = _option(
        read_flag,
        "",
        "Make a new database although admin.token was used with one that is missing now; only for one start.",
        default=False,
    )
    new_token: bool = _option(
        read_flag, "", "Make a new admin token, and revoke the earlier one; only for one start.", default=False
    )
    restored: bool = _option(
        read_flag,
        "",
        "The data directory is a restored copy, such as a snapshot of a machine; its open commands may have run since"
        " and become unknown; only for one start.",
        default=False,
    )
    requeue: bool = _option(
        read_flag,
        "",
        "Keep what is queued in a restored database queued, though it may have run since; only for one start.",
        default=False,
    )
    check: bool = _option(
        read_flag,
        "",
        "Check options, files, endpoints and the database without changing anything, print what was found, and exit: 1"
        " if a start would fail.",
        default=False,
    )
    config: Path | None = _option(
        read_path,
        "FILE",
        "TOML file of options by these names; environment variables and the command line take precedence.",
    )

    sources: Mapping[str, str] = field(factory=dict, eq=False, repr=False)
    """Where options were given, by their names: ``--keep``, ``PUSHD_KEEP`` or ``/etc/pushd.toml: keep``."""

    def source(self, name: str) -> str:
        """How an error message calls an option: as it was given."""
        return self.sources.get(name, f"--{name}")

    @property
    def alert_rules(self) -> AlertRules:
        """When an alert is raised, and when it is mailed again."""
        changes, within = self.flapping
        return AlertRules(
            window=self.alert_window,
            changes=changes,
            within=within,
            mails=bool(self.mail_to),
            remind=self.mail_reminder_hours * 3600 or None,
        )

    @property
    def links(self) -> Links:
        """Links to the pages of this server."""
        return Links(self.base_url)

    @property
    def mail_tls(self) -> Tls:
        """Encryption of SMTP: the option, or else STARTTLS for a server on another machine."""
        return self.smtp_tls or (Tls.NONE if is_local(self.smtp[0]) else Tls.STARTTLS)


OPTIONS: Mapping[str, Option] = {
    option.name: option
    for option in (
        Option(field=each.name, **each.metadata | {"name": each.metadata["name"] or each.name.replace("_", "-")})
        for each in fields(Config)
        if each.metadata
    )
}
"""All options by their names."""


Given = Mapping[str, tuple[str, object]]
"""By the option's name: how an error message calls it, and its value."""


def read_config(arguments: Mapping[str, object], environ: Mapping[str, str]) -> Config:
    """The options of the command line, the environment and the file, in this order of precedence.

    A list that is given in one of them replaces that of another.

    :raises ConfigError: naming the option that is wrong.
    """
    given = {**_from_environment(environ), **_from_command_line(arguments)}
    if "config" in given:
        source, path = given["config"]
        given = {**_from_file(source, _read("config", source, path)), **given}
    values = {OPTIONS[name].field: _read(name, source, value) for name, (source, value) in given.items()}
    config = Config(**values, sources={name: source for name, (source, _) in given.items()})
    _check_mails(config)
    _check_auth_proxy(config)
    return config


def renamed(old: str, new: str) -> ConfigError:
    """The error about an option that is given by a name of an earlier version."""
    return ConfigError(f"{old} was renamed; use {new}.")


def _read(name: str, source: str, value: object) -> Any:
    try:
        return OPTIONS[name].read(value)
    except ValueError as error:
        raise ConfigError(f"{source}: {error}.") from None


def _from_command_line(arguments: Mapping[str, object]) -> Given:
    return {name: (f"--{name}", value) for name, value in arguments.items()}


def _from_environment(environ: Mapping[str, str]) -> Given:
    """Options from ``PUSHD_*``; an empty variable counts as unset, an unknown one is ignored."""
    for old, new in RENAMED.items():
        if environ.get(variable(old)):
            raise renamed(variable(old), variable(new))
    found = ((option, environ.get(option.variable)) for option in OPTIONS.values())
    return {option.name: (option.variable, _from_variable(option, text)) for option, text in found if text}


def _from_variable(option: Option, text: str) -> object:
    """The value of a variable as TOML would have it."""
    try:
        if option.is_flag:
            return parse_flag(text)
        return parse_list(text) if option.repeatable else text
    except ValueError as error:
        raise ConfigError(f"{option.variable}: {error}.") from None


def _from_file(source: str, path: Path) -> Given:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{source}: {path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: {path} is not valid TOML: {error}.") from None
    for name in content:
        if name in RENAMED:
            raise renamed(f"{path}: {name}", RENAMED[name])
        if name not in OPTIONS or name == "config":
            raise ConfigError(f"{path}: {name} is not an option of this file{_suggestion(name)}")
    return {name: (f"{path}: {name}", value) for name, value in content.items()}


def _suggestion(name: str) -> str:
    """How a sentence about an unknown option ends: with the one that is probably meant, if any is."""
    known = [option for option in OPTIONS if option != "config"]
    meant = get_close_matches(name.replace("_", "-"), known, n=1)
    return f"; did you mean {meant[0]}?" if meant else "."


def _check_mails(config: Config) -> None:
    """:raises ConfigError: if options about mails do not go together."""
    _check_pair(config, "mail-to", "mail-from")
    _check_pair(config, "smtp-user", "smtp-password-file")
    if config.smtp_user is not None and config.mail_tls is Tls.NONE and not is_local(config.smtp[0]):
        why = "none would send the password in clear text; must be starttls or tls"
        raise ConfigError(f"{config.source('smtp-tls')}: {why}.")


def _check_auth_proxy(config: Config) -> None:
    """:raises ConfigError: if options about a proxy that authenticates people do not go together."""
    _check_pair(config, "auth-header", "auth-proxy")
    uses_tcp = any(proxy != UNIX for proxy in config.auth_proxies)
    if uses_tcp and config.auth_secret_file is None:
        raise ConfigError(
            f"{config.source('auth-proxy')}: --auth-secret-file is missing; any program at the address of the proxy"
            " could name anyone."
        )
    if config.auth_secret_file is not None and not uses_tcp:
        raise ConfigError(
            f"{config.source('auth-secret-file')}: --auth-proxy with the network of the proxy is missing."
        )


def _check_pair(config: Config, *names: str) -> None:
    """:raises ConfigError: if only one of two options is given."""
    for name, needed in (names, reversed(names)):
        if getattr(config, OPTIONS[name].field) and not getattr(config, OPTIONS[needed].field):
            raise ConfigError(f"{config.source(name)}: --{needed} is missing; give both or neither.")
