"""Wiring: builds every object of the server once, over any store."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from twisted.logger import Logger
from twisted.web.iweb import IAgent

from pushd.admin.alerts import AlertsApp
from pushd.admin.commands import CommandsApp
from pushd.admin.devices import DevicesApp
from pushd.admin.events import EventsApp
from pushd.admin.health import HealthApp
from pushd.admin.port import AdminPort
from pushd.admin.webhooks import WebhooksApp
from pushd.config import Config, ConfigError
from pushd.core.alerts import Alerts
from pushd.core.app import Core
from pushd.core.clocks import Clocks
from pushd.core.commands.command_queue import CommandQueue
from pushd.core.commands.drafts import Drafts
from pushd.core.commands.operator_actions import OperatorActions
from pushd.core.credentials import Tokens
from pushd.core.devices.admission import AdmissionPolicy
from pushd.core.devices.device_service import REFUSAL_DELAY, DeviceService
from pushd.core.devices.offline_detector import OfflineDetector
from pushd.core.devices.presence import Presence
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.egress_policy import EgressPolicy
from pushd.core.events.feed import Feed
from pushd.core.health import Health
from pushd.core.polling.hold_time import HoldTimes
from pushd.core.polling.poll_registry import PollRegistry
from pushd.core.webhooks import Webhooks
from pushd.dialects.controlid.app import mounted_apps as controlid_apps
from pushd.dialects.servereye.app import mounted_apps as servereye_apps
from pushd.http.bodies import InThread
from pushd.http.device_port import DevicePort, MountedApp
from pushd.http.router import IApp
from pushd.model.epochs import Epochs
from pushd.model.uuid7 import IdSource
from pushd.notifications.mail.message import Envelope
from pushd.notifications.mail.notifier import MailNotifier
from pushd.notifications.mail.smtp import SmtpServer, SmtpTransport
from pushd.notifications.webhooks.dispatcher import WebhookDispatcher
from pushd.notifications.webhooks.event_filter import SubscriptionFilter
from pushd.notifications.webhooks.sender import WebhookSender
from pushd.option_values import DIALECTS
from pushd.store.interface import IStore

DEVICE_APPS = (controlid_apps, servereye_apps)
"""Each builds what is mounted for one of :data:`pushd.option_values.DIALECTS`; earlier ones go first."""

_log = Logger()


def build_core(store: IStore, clocks: Clocks, config: Config, rand: Callable[[], float] = random.random) -> Core:
    """Build the core; ``rand`` gives random numbers from 0 to 1."""
    dialects = {dialect.name: dialect for dialect in DIALECTS}
    ids = IdSource(clocks.wall_now)
    epochs = Epochs()
    drafts = Drafts(ids, dialects)
    presence = Presence(store, clocks)
    registry = DeviceRegistry(store, clocks, dialects, presence)
    tokens = Tokens(store, clocks, ids)
    poll_registry = PollRegistry(clocks.clock)
    holds = {name: dialect.hold for name, dialect in dialects.items()} | dict(config.holds)
    hold_times = HoldTimes(registry, holds, rand)
    command_queue = CommandQueue(
        store=store,
        clocks=clocks,
        dialects=dialects,
        presence=presence,
        hold_times=hold_times,
        poll_registry=poll_registry,
    )
    admission_policy = AdmissionPolicy(registry, tokens, config.admission, config.max_pending, config.require_proof)
    return Core(
        store=store,
        clocks=clocks,
        registry=registry,
        tokens=tokens,
        presence=presence,
        offline_detector=OfflineDetector(store, clocks, presence, config.alert_rules),
        poll_registry=poll_registry,
        drafts=drafts,
        command_queue=command_queue,
        operator_actions=OperatorActions(
            store=store,
            clocks=clocks,
            drafts=drafts,
            registry=registry,
            admission_policy=admission_policy,
            hold_times=hold_times,
            poll_registry=poll_registry,
        ),
        feed=Feed(store, clocks, epochs),
        alerts=Alerts(store, clocks, config.alert_rules, epochs),
        device_service=DeviceService(
            clocks=clocks,
            registry=registry,
            admission_policy=admission_policy,
            presence=presence,
            hold_times=hold_times,
            poll_registry=poll_registry,
            command_queue=command_queue,
            batch=config.batch,
        ),
        webhooks=Webhooks(store, clocks, ids, EgressPolicy(tuple(config.webhook_allow)), config.alert_rules, epochs),
        retention_days=config.keep,
        epochs=epochs,
    )


def build_device_port(core: Core, config: Config, in_thread: InThread[Any]) -> DevicePort:
    """Build the device port."""
    apps: Sequence[MountedApp] = [
        mounted for build_apps in DEVICE_APPS for mounted in build_apps(core.device_service, in_thread, config.bases)
    ]
    return DevicePort(apps, core.registry.owner_of_path, core.clocks.clock, REFUSAL_DELAY)


def build_admin_port(core: Core, in_thread: InThread[Any]) -> AdminPort:
    """Build the admin port."""
    apps: dict[str, IApp] = {
        "devices": DevicesApp(core.tokens, core.registry, core.store, core.poll_registry),
        "commands": CommandsApp(
            core.tokens, core.registry, core.drafts, core.command_queue, core.operator_actions, core.store, in_thread
        ),
        "alerts": AlertsApp(core.tokens, core.alerts, core.store),
        "events": EventsApp(core.tokens, core.feed),
        "webhooks": WebhooksApp(core.tokens, core.webhooks, core.store),
    }
    health = Health(core.store, core.clocks, core.command_queue, core.webhooks)
    return AdminPort(apps, HealthApp(core.tokens, health), core.tokens)


def build_dispatcher(core: Core, agent: IAgent, rand: Callable[[], float] = random.random) -> WebhookDispatcher:
    """Build the service that delivers webhooks; ``agent`` sends the requests."""
    return WebhookDispatcher(
        core.webhooks, SubscriptionFilter(core.registry, core.store), WebhookSender(agent, core.clocks.clock), rand
    )


def build_notifiers(core: Core, config: Config, reactor: Any) -> Iterator[MailNotifier]:
    """Build the service that mails alerts, if mail is configured.

    :raises ConfigError: if the password cannot be read.
    """
    if config.mail_from is None:
        return
    host, port = config.smtp
    password = (
        ""
        if config.smtp_password_file is None
        else read_password(config.smtp_password_file, config.source("smtp-password-file"))
    )
    server = SmtpServer(host=host, port=port, tls=config.mail_tls, user=config.smtp_user, password=password)
    envelope = Envelope(sender=config.mail_from, recipients=config.mail_to)
    transport = SmtpTransport(server, reactor)
    yield MailNotifier(
        core.store,
        core.clocks,
        config.alert_rules,
        envelope,
        core.registry.get_with_presence,
        transport,
        random.random,
    )


def read_password(path: Path, option: str) -> str:
    """Read the SMTP password from the only line of a file; warn if other users can read the file.

    ``option`` names the option in messages.

    :raises ConfigError: if the file cannot be read, is not text or is empty.
    """
    try:
        if path.stat().st_mode & 0o077:
            _log.warn("{option}: other users can read {path}; run chmod 600 on it", option=option, path=str(path))
        password = path.read_text("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"{option}: {path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise ConfigError(f"{option}: {path} must be a text file in UTF-8.") from None
    if not password:
        raise ConfigError(f"{option}: {path} must not be empty.")
    return password
