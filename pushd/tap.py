"""``twistd pushd``: the options, and the service made of them."""

import time
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.python import usage

from pushd.config import Config, ConfigError, read_config
from pushd.process import exit_with_error, install_signal_handlers
from pushd.service import build_service
from pushd.wiring import NAMES


class Options(usage.Options):
    """Options of the server; pushd.toml holds the same by the same names."""

    synopsis = "[options]"
    longdesc = (
        "HoldTimes the polls of devices that phone home, and pushes commands to them. The first start writes an admin"
        " token to DATA-DIR/admin.token; pushctl finds it there."
    )

    optParameters = [  # noqa: N815, RUF012 - Twisted's way
        ["data-dir", None, None, "Where all state lives. [default: ./pushd-data]"],
        ["store", None, None, "A SQLite file. [default: DATA-DIR/pushd.sqlite]"],
        [
            "admission",
            None,
            None,
            "Strangers: approve (by an operator), open (at once), closed (refused). [default: approve]",
        ],
        ["max-pending", None, None, "Devices that may wait for an approval. [default: 1000]"],
        [
            "batch",
            None,
            None,
            "Commands that a Control iD device takes at once; old firmware knows no batches. [default: 1]",
        ],
        ["keep", None, None, "Days for which ended commands and events are kept. [default: 30]"],
        [
            "alert-window",
            None,
            None,
            "Seconds that an alert waits for the device to return, and for others behind its address. [default: 30]",
        ],
        [
            "flapping",
            None,
            None,
            "CHANGES/SECONDS: a device that comes and goes so often is one alert. [default: 5/600]",
        ],
        ["mail-from", None, None, "The address that mails come from."],
        ["mail-remind", None, None, "Hours after which an open alert is mailed again; 0: never. [default: 24]"],
        ["smtp", None, None, "HOST:PORT of the mail server. [default: localhost:25]"],
        [
            "smtp-tls",
            None,
            None,
            "starttls, tls or none. [default: starttls; none if the mail server is on this machine]",
        ],
        ["smtp-user", None, None, "The name by which the mail server knows us."],
        ["smtp-password-file", None, None, "A file that holds the password for it, readable by its owner only."],
        [
            "pulse-url",
            None,
            None,
            "A URL that is fetched every minute while all is well: somebody outside notices when that ends.",
        ],
        ["config", None, None, "A file of options, pushd.toml say; the command line wins."],
    ]
    optFlags = [  # noqa: N815, RUF012 - Twisted's way
        ["require-proof", None, "Hand nothing to devices without a secret, a key or an allow list."]
    ]

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, list[str]] = {}

    def opt_devices(self, endpoint: str) -> None:
        """Where devices connect, as a Twisted endpoint; may be repeated. [default: tcp:8080]"""
        self._add("devices", endpoint)

    def opt_admin(self, endpoint: str) -> None:
        """Where operators connect; may be repeated. [default: tcp:8081:interface=127.0.0.1]"""
        self._add("admin", endpoint)

    def opt_base(self, path: str) -> None:
        """A path below which Control iD devices also find us, such as /controlid; may be repeated."""
        self._add("base", path)

    def opt_hold(self, hold: str) -> None:
        """DIALECT=SECONDS: how long a poll is held until its device has taught us better; may be repeated.
        [default: servereye=45, controlid=10]
        """
        self._add("hold", hold)

    def opt_trusted_proxy(self, cidr: str) -> None:
        """A network of proxies whose X-Forwarded-For we believe; may be repeated."""
        self._add("trusted-proxy", cidr)

    def opt_webhook_allow(self, cidr: str) -> None:
        """A network, not a public one, where webhooks may be sent nevertheless, such as 10.0.0.0/8; may be
        repeated.
        """
        self._add("webhook-allow", cidr)

    def opt_mail_to(self, address: str) -> None:
        """An address that is mailed about alerts; may be repeated. Without it there are no mails."""
        self._add("mail-to", address)

    def config(self) -> Config:
        """All options, checked.

        :raises ConfigError: naming the one that is wrong.
        """
        plain = {name: value for name, value in self.items() if value not in (None, 0) and name != "config"}
        if plain.pop("require-proof", 0):
            plain["require-proof"] = True
        return read_config(plain | self.given, self["config"], NAMES)

    def parseOptions(self, options: Any = None) -> None:
        """Parse; what is wrong ends the program with one line.

        :raises CannotStart: with that line.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            _refuse(error)

    def _add(self, name: str, value: str) -> None:
        self.given.setdefault(name, []).append(value)


def _refuse(error: Exception) -> NoReturn:
    exit_with_error(f"{error} (twistd pushd --help tells the options)")


def makeService(options: Options) -> IService:
    """Build the service; it opens nothing before it starts.

    :raises CannotStart: with one line, if an option is wrong.
    """
    from twisted.internet import reactor

    try:
        service = build_service(options.config(), reactor, time.time)
    except ConfigError as error:
        _refuse(error)
    # Twisted's timers follow the wall clock, and would all fire, or none, when somebody sets it.
    vars(reactor)["seconds"] = time.monotonic
    install_signal_handlers(reactor)
    return service
