"""The configuration: what the command line and ``pushd.toml`` say, checked."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from pushd.core.devices.admission import DEFAULT_MAX_PENDING, AdmissionMode
from pushd.lib.ip_networks import Networks, parse_network
from pushd.model.alert import AlertRules
from pushd.notifications import options
from pushd.notifications.mail.smtp import Tls

MAX_HOLD = 55.0
"""Seconds; proxies commonly cut a silent connection after 60."""


class ConfigError(Exception):
    """An option is wrong; the message is one line that names it."""


@frozen(kw_only=True)
class Config:
    """Checked options; durations in seconds."""

    data_dir: Path = Path("pushd-data")
    store: str | None = None
    devices: tuple[str, ...] = ("tcp:8080",)
    admin: tuple[str, ...] = ("tcp:8081:interface=127.0.0.1",)
    admission: AdmissionMode = AdmissionMode.APPROVE
    max_pending: int = DEFAULT_MAX_PENDING
    require_proof: bool = False
    bases: tuple[bytes, ...] = ()
    holds: Mapping[str, float] = field(factory=dict)
    batch: int = 1
    keep: int = 30
    trusted_proxies: Networks = ()
    alert_window: float = 30.0
    flapping: tuple[int, float] = (5, 600.0)
    webhook_allow: Networks = ()
    mail_to: tuple[str, ...] = ()
    mail_from: str | None = None
    mail_remind: float = 24.0
    """Hours."""
    smtp: tuple[str, int] = ("localhost", 25)
    smtp_tls: Tls | None = None
    smtp_user: str | None = None
    smtp_password_file: Path | None = None
    pulse_url: str | None = field(default=None, repr=False)

    @property
    def alert_rules(self) -> AlertRules:
        """When an alert is raised."""
        changes, within = self.flapping
        remind = self.mail_remind * 3600 or None
        return AlertRules(
            window=self.alert_window, changes=changes, within=within, mails=bool(self.mail_to), remind=remind
        )

    @property
    def mail_tls(self) -> Tls:
        """How the way to the mail server is secured: unless somebody said so, it must be if it leaves this machine."""
        return self.smtp_tls or (Tls.NONE if options.is_local(self.smtp[0]) else Tls.STARTTLS)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError("text is wanted")
    return value


def _path(value: object) -> Path:
    return Path(_text(value))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(one) for one in (value if isinstance(value, list) else [value]))


def _endpoints(value: object) -> tuple[str, ...]:
    endpoints = _texts(value)
    if not endpoints:
        raise ConfigError("at least one endpoint is wanted")
    return endpoints


def _store(value: object) -> str:
    text = _text(value)
    if "://" in text and not text.startswith("sqlite:///"):
        raise ConfigError(f"{text.partition(':')[0]} is no store of this version; leave it out for SQLite")
    return text.removeprefix("sqlite:///")


def _mode(value: object) -> AdmissionMode:
    if value not in list(AdmissionMode):
        raise ConfigError(f"one of {', '.join(AdmissionMode)} is wanted")
    return AdmissionMode(str(value))


def _count(value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ConfigError("a whole number is wanted")
    return int(text)


def _positive(value: object) -> int:
    count = _count(value)
    if count < 1:
        raise ConfigError("at least 1 is wanted")
    return count


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError("true or false is wanted")
    return value


def _bases(value: object) -> tuple[bytes, ...]:
    return tuple(_base(text) for text in _texts(value))


def _base(text: str) -> bytes:
    """A base without the slash at its end; the root needs none."""
    base = "/" + text.strip("/")
    parts = base[1:].split("/")
    if not text.startswith("/") or "" in parts or not text.isascii() or any(char in text for char in "?#% "):
        raise ConfigError(f"{text} is no path such as /controlid")
    if parts[0] in ("push", "d") or (parts[0] in ("1", "2") and parts[1:2] == ["push"]):
        raise ConfigError(f"{text} is where other paths of the device port are")
    return base.encode("ascii")


def _holds(value: object) -> dict[str, float]:
    pairs = value.items() if isinstance(value, dict) else [text.partition("=")[::2] for text in _texts(value)]
    return {dialect: _hold(dialect, seconds) for dialect, seconds in pairs}


def _hold(dialect: str, seconds: object) -> float:
    try:
        hold = float(str(seconds))
    except ValueError:
        hold = -1
    if not 0 <= hold <= MAX_HOLD:
        raise ConfigError(f"{dialect}=SECONDS is wanted, 0 to {MAX_HOLD:g}")
    return hold


def _seconds(value: object, most: float = 86400) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = -1
    if isinstance(value, bool) or not 0 <= seconds <= most:
        raise ConfigError(f"seconds are wanted, 0 to {most:g}")
    return seconds


def _flapping(value: object) -> tuple[int, float]:
    changes, _, within = _text(value).partition("/")
    try:
        return _positive(changes), _seconds(within)
    except ConfigError:
        raise ConfigError("CHANGES/SECONDS is wanted, 5/600 say") from None


def _networks(value: object) -> Networks:
    try:
        return tuple(parse_network(text) for text in _texts(value))
    except ValueError as error:
        raise ConfigError(f"a network such as 10.0.0.0/8 is wanted: {error}") from None


def _addresses(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(options.read_address(text) for text in _texts(value)))


_OPTIONS: Mapping[str, tuple[str, Any]] = {
    "data-dir": ("data_dir", _path),
    "store": ("store", _store),
    "devices": ("devices", _endpoints),
    "admin": ("admin", _endpoints),
    "admission": ("admission", _mode),
    "max-pending": ("max_pending", _count),
    "require-proof": ("require_proof", _flag),
    "base": ("bases", _bases),
    "hold": ("holds", _holds),
    "batch": ("batch", _positive),
    "keep": ("keep", _positive),
    "trusted-proxy": ("trusted_proxies", _networks),
    "alert-window": ("alert_window", _seconds),
    "flapping": ("flapping", _flapping),
    "webhook-allow": ("webhook_allow", _networks),
    "mail-to": ("mail_to", _addresses),
    "mail-from": ("mail_from", lambda value: options.read_address(_text(value))),
    "mail-remind": ("mail_remind", options.read_remind),
    "smtp": ("smtp", lambda value: options.read_server(_text(value))),
    "smtp-tls": ("smtp_tls", options.read_tls),
    "smtp-user": ("smtp_user", _text),
    "smtp-password-file": ("smtp_password_file", _path),
    "pulse-url": ("pulse_url", lambda value: options.read_url(_text(value))),
}
"""Each option by its name, on the command line and in the file: which field it is, and how it is read."""


def read_config(given: Mapping[str, object], file: str | None, dialects: Sequence[str]) -> Config:
    """What the file says, and over it what was given on the command line.

    :raises ConfigError: naming the option that is wrong.
    """
    said = ({} if file is None else _read_file(Path(file))) | dict(given)
    fields: dict[str, Any] = dict(_read_option(name, value) for name, value in said.items())
    config = Config(**fields)
    unknown = sorted(set(config.holds) - set(dialects))
    if unknown:
        raise ConfigError(f"--hold: {unknown[0]} is no dialect; those that there are: {', '.join(dialects)}.")
    _check_mails(config)
    return config


def _check_mails(config: Config) -> None:
    """:raises ConfigError: if options do not go together."""
    if config.mail_to and config.mail_from is None:
        raise ConfigError("--mail-to: --mail-from is missing, the address that the mails come from.")
    if config.mail_from is not None and not config.mail_to:
        raise ConfigError("--mail-from: --mail-to is missing, the address that the mails go to.")
    if config.smtp_user is not None and config.smtp_password_file is None:
        raise ConfigError("--smtp-user: --smtp-password-file is missing, a file that holds the password.")
    if config.smtp_password_file is not None and config.smtp_user is None:
        raise ConfigError("--smtp-password-file: --smtp-user is missing, the name that the password belongs to.")
    if config.smtp_user is not None and config.mail_tls is Tls.NONE and not options.is_local(config.smtp[0]):
        raise ConfigError("--smtp-tls: none would show the password to the network; starttls or tls is wanted.")


def _read_file(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"--config: {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise ConfigError(f"--config: {path} is no TOML: {error}.") from None


def _read_option(name: str, value: object) -> tuple[str, object]:
    if name not in _OPTIONS:
        raise ConfigError(f"{name} is no option; those that there are: {', '.join(_OPTIONS)}.")
    field_name, read = _OPTIONS[name]
    try:
        return field_name, read(value)
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"--{name}: {error}.") from None
