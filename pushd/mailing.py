"""The assembly's part about mails: a postman made of options."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from pushd.config import Config, ConfigError
from pushd.core.app import Core
from pushd.notifications.mail.message import Envelope
from pushd.notifications.mail.notifier import MailNotifier
from pushd.notifications.mail.smtp import SmtpCarrier, SmtpServer

_log = Logger()


def build_notifiers(core: Core, config: Config, reactor: Any) -> Iterator[MailNotifier]:
    """The postman, if somebody is to be mailed.

    :raises ConfigError: if the password cannot be read.
    """
    if config.mail_from is None:
        return
    host, port = config.smtp
    password = "" if config.smtp_password_file is None else read_password(config.smtp_password_file)
    server = SmtpServer(host=host, port=port, tls=config.mail_tls, user=config.smtp_user, password=password)
    envelope = Envelope(sender=config.mail_from, recipients=config.mail_to)
    carrier = SmtpCarrier(server, reactor)
    yield MailNotifier(core.store, core.clocks, config.alert_rules, envelope, core.fleet.seen, carrier, random.random)


def read_password(path: Path) -> str:
    """The password that a file holds, without the end of its line; one that others can read is warned of.

    :raises ConfigError: if it cannot be read.
    """
    try:
        if path.stat().st_mode & 0o077:
            _log.warn("--smtp-password-file: others can read {path}; chmod 600 keeps it from them", path=str(path))
        password = path.read_text("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"--smtp-password-file: {path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise ConfigError(f"--smtp-password-file: {path} is no text.") from None
    if not password:
        raise ConfigError(f"--smtp-password-file: {path} is empty.")
    return password
