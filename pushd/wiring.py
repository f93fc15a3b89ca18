"""Wiring: builds every object of the server once, over any store."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from twisted.logger import Logger
from twisted.web.iweb import IAgent

from pushd import __version__
from pushd.admin.alerts import AlertsApp
from pushd.admin.audit import AuditApp
from pushd.admin.auth import Authenticator
from pushd.admin.auth_proxy import AuthProxy
from pushd.admin.browsers import OriginPolicy
from pushd.admin.catalogue import CatalogueApp
from pushd.admin.commands import CommandsApp
from pushd.admin.cors import CorsPolicy
from pushd.admin.devices import DevicesApp
from pushd.admin.events import EventsApp
from pushd.admin.health import HealthApp
from pushd.admin.info import InfoApp
from pushd.admin.mail import MailApp
from pushd.admin.metrics import MetricsApp
from pushd.admin.openapi import OpenApiApp
from pushd.admin.opening import OpeningApp
from pushd.admin.people import PeopleApp
from pushd.admin.port import AdminPort
from pushd.admin.rejections import RejectionsApp
from pushd.admin.sessions import SessionsApp
from pushd.admin.sites import SitesApp
from pushd.admin.tokens import TokensApp
from pushd.admin.webhooks import WebhooksApp
from pushd.config import Config, ConfigError
from pushd.config_view import shown_endpoints, shown_options
from pushd.core.alerts import Alerts
from pushd.core.app import Core
from pushd.core.audit import AuditLog
from pushd.core.clocks import Clocks
from pushd.core.commands.command_queue import CommandQueue
from pushd.core.commands.drafts import Drafts
from pushd.core.commands.opener import Opener
from pushd.core.commands.operator_actions import OperatorActions
from pushd.core.copies import Copies
from pushd.core.devices.admission import AdmissionPolicy
from pushd.core.devices.device_lookups import DeviceLookups
from pushd.core.devices.device_service import REFUSAL_DELAY, DeviceService
from pushd.core.devices.offline_detector import OfflineDetector
from pushd.core.devices.presence import Presence
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.devices.rejections import Rejections, SharedRejections
from pushd.core.egress_policy import EgressPolicy
from pushd.core.events.feed import Feed
from pushd.core.health import Health
from pushd.core.info import Info, ServerInfo
from pushd.core.notification_tester import NotificationTester
from pushd.core.people import People
from pushd.core.polling.hold_time import HoldTimes
from pushd.core.polling.poll_registry import PollRegistry
from pushd.core.refused_log_ins import RefusedLogIns
from pushd.core.sessions import Sessions
from pushd.core.tokens import ITokenFile, Tokens
from pushd.core.webhooks import Webhooks
from pushd.dashboard.app import DashboardApp
from pushd.dashboard.assets import load_assets
from pushd.dialects.controlid import app as controlid_app
from pushd.dialects.servereye import app as servereye_app
from pushd.http.bodies import InThread
from pushd.http.device_port import DevicePort, MountedApp
from pushd.http.router import IApp
from pushd.lib.log_limit import LogLimit
from pushd.lib.webhook_sender import WebhookSender
from pushd.metrics.metrics import Metrics
from pushd.model.epochs import Epochs
from pushd.model.uuid7 import IdSource
from pushd.notifications.known_devices import KnownDevices
from pushd.notifications.mail.notifier import MailNotifier
from pushd.notifications.mail.smtp import SmtpServer, SmtpTransport
from pushd.notifications.webhooks.dispatcher import WebhookDispatcher
from pushd.notifications.webhooks.event_filter import SubscriptionFilter
from pushd.notifications.webhooks.event_sender import EventSender
from pushd.option_values import DIALECTS
from pushd.store.interface import IStore

DEVICE_APPS = (controlid_app, servereye_app)
"""The app of each of :data:`pushd.option_values.DIALECTS`; what earlier ones mount goes first."""

_log = Logger()


def build_core(
    store: IStore,
    clocks: Clocks,
    config: Config,
    token_file: ITokenFile,
    rand: Callable[[], float] = random.random,
) -> Core:
    """Build the core; ``rand`` gives random numbers from 0 to 1."""
    dialects = {dialect.name: dialect for dialect in DIALECTS}
    ids = IdSource()
    epochs, membership = Epochs(), store.membership()
    drafts = Drafts(dialects)
    presence = Presence(store, clocks, membership)
    presence.follow()
    registry = DeviceRegistry(store, clocks, dialects, presence)
    tokens = Tokens(store, clocks, ids, token_file)
    people = People(store, clocks)
    poll_registry = PollRegistry(clocks.clock)
    holds = {name: dialect.hold for name, dialect in dialects.items()} | dict(config.holds)
    hold_times = HoldTimes(registry, holds, rand, membership)
    command_queue = CommandQueue(
        store=store,
        clocks=clocks,
        dialects=dialects,
        presence=presence,
        hold_times=hold_times,
        poll_registry=poll_registry,
        membership=membership,
    )
    admission_policy = AdmissionPolicy(
        registry, tokens, membership, config.admission, config.max_pending, config.require_proof
    )
    rejections = Rejections(clocks, [app.claimed_device for app in DEVICE_APPS])
    audit_log = AuditLog(store, clocks, config.keep_audit)
    sessions = Sessions(store, clocks, ids, tokens, people)
    webhooks = Webhooks(store, clocks, ids, EgressPolicy(tuple(config.webhook_allow)), config.alert_rules, epochs)
    return Core(
        store=store,
        membership=membership,
        clocks=clocks,
        registry=registry,
        tokens=tokens,
        people=people,
        sessions=sessions,
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
        opener=Opener(
            store=store,
            clocks=clocks,
            drafts=drafts,
            registry=registry,
            admission_policy=admission_policy,
            poll_registry=poll_registry,
            command_queue=command_queue,
        ),
        feed=Feed(store, clocks, epochs),
        alerts=Alerts(store, clocks, config.alert_rules, epochs),
        device_service=DeviceService(
            clocks=clocks,
            registry=registry,
            admission_policy=admission_policy,
            rejections=rejections,
            presence=presence,
            hold_times=hold_times,
            poll_registry=poll_registry,
            command_queue=command_queue,
            lookups=DeviceLookups(store, membership, registry, clocks.clock.seconds),
            batch=config.batch,
        ),
        webhooks=webhooks,
        copies=Copies(store, clocks, registry, tokens, people, sessions, webhooks),
        shared_rejections=SharedRejections(rejections, store, membership),
        notification_tester=NotificationTester(store, audit_log, clocks.clock.seconds),
        retention_days=config.keep,
        audit_log=audit_log,
        epochs=epochs,
    )


def build_device_port(core: Core, config: Config, in_thread: InThread[Any]) -> DevicePort:
    """Build the device port."""
    apps: Sequence[MountedApp] = [
        mounted for app in DEVICE_APPS for mounted in app.mounted_apps(core.device_service, in_thread, config.bases)
    ]
    rejections = core.device_service.rejections
    return DevicePort(
        apps, core.registry.owner_of_path, core.membership.hears, core.clocks.clock, REFUSAL_DELAY, rejections
    )


def build_admin_port(core: Core, config: Config, in_thread: InThread[Any]) -> AdminPort:
    """Build the admin port."""
    info = Info(_server_info(core, config), core.store, core.membership, core.poll_registry)
    refused_log_ins = RefusedLogIns(core.audit_log, LogLimit(core.clocks.clock.seconds))
    auth = Authenticator(
        membership=core.membership,
        tokens=core.tokens,
        sessions=core.sessions,
        registry=core.registry,
        origins=OriginPolicy.of(config.base_url),
        people=core.people,
        proxy=AuthProxy.of(config.auth_header, config.auth_proxies, auth_secret(config)),
        refused_log_ins=refused_log_ins,
        lookups=DeviceLookups(core.store, core.membership, core.registry, core.clocks.clock.seconds),
    )
    sessions = SessionsApp(auth, core.sessions, refused_log_ins)
    apps: dict[str, IApp] = {
        "devices": DevicesApp(auth, core.registry, core.store, core.poll_registry),
        "catalogue": CatalogueApp(auth, core.registry.dialects),
        "commands": CommandsApp(
            auth, core.registry, core.drafts, core.command_queue, core.operator_actions, core.store, in_thread
        ),
        "audit": AuditApp(auth, core.audit_log),
        "open": OpeningApp(auth, core.registry, core.opener),
        "alerts": AlertsApp(auth, core.alerts, core.store),
        "sites": SitesApp(auth, core.store),
        "events": EventsApp(auth, core.feed),
        "info": InfoApp(auth, info),
        "mail": MailApp(auth, core.notification_tester),
        "rejections": RejectionsApp(auth, core.shared_rejections),
        "webhooks": WebhooksApp(auth, core.webhooks, core.registry, core.notification_tester, core.store),
        "people": PeopleApp(auth, core.people, core.registry, config.links),
        "session": sessions,
        "sessions": sessions,
        "tokens": TokensApp(auth, core.tokens, core.registry),
    }
    health = Health(core.store, core.membership, core.clocks, core.command_queue, core.webhooks)
    default = HealthApp(auth, health)
    metrics = MetricsApp(auth, Metrics.of(info, core.device_service.rejections))
    described = dict.fromkeys([*apps.values(), default, metrics])
    openapi = OpenApiApp.of(described, core.registry.dialects.values(), __version__)
    pages: dict[str, IApp] = {
        "openapi.json": openapi,
        "docs": openapi,
        "healthz": default,
        "readyz": default,
        "metrics": metrics,
    }
    dashboard = DashboardApp.of(load_assets())
    return AdminPort(apps, pages, default, dashboard, auth, CorsPolicy.of(config.cors_origins))


def _server_info(core: Core, config: Config) -> ServerInfo:
    return ServerInfo(
        version=__version__,
        schema=core.store.schema_version(),
        node=core.membership.node_name(),
        started_at=core.clocks.wall_now(),
        dialects=tuple(dialect.name for dialect in DIALECTS),
        listen={
            "devices": shown_endpoints(config.devices),
            "admin": shown_endpoints(config.admin),
            "bases": tuple(base.decode() for base in config.bases),
        },
        options=shown_options(config),
    )


def build_dispatcher(
    core: Core, config: Config, agent: IAgent, rand: Callable[[], float] = random.random
) -> WebhookDispatcher:
    """Build the service that delivers webhooks; ``agent`` sends the requests."""
    known_devices = KnownDevices(core.registry.get, core.store)
    sender = EventSender(WebhookSender(agent, core.clocks.clock), core.clocks, known_devices, core.store, config.links)
    core.notification_tester.post = sender.send_test
    return WebhookDispatcher(core.webhooks, SubscriptionFilter(known_devices), sender, rand)


def build_notifiers(core: Core, config: Config, reactor: Any) -> Iterator[MailNotifier]:
    """Build the service that mails alerts, if mail is configured.

    :raises ConfigError: if the password cannot be read.
    """
    if config.mail_from is None:
        return
    host, port = config.smtp
    server = SmtpServer(
        host=host, port=port, tls=config.mail_tls, user=config.smtp_user, password=smtp_password(config)
    )
    transport = SmtpTransport(server, reactor)
    notifier = MailNotifier(
        core.store,
        core.clocks,
        config.alert_rules,
        config.mail_from,
        config.mail_to,
        KnownDevices(core.registry.get_with_presence, core.store),
        transport,
        random.random,
        config.links,
    )
    core.notification_tester.mail = notifier.send_test
    yield notifier


def smtp_password(config: Config) -> str:
    """The SMTP password; empty if there is none.

    :raises ConfigError: if it cannot be read.
    """
    path = config.smtp_password_file
    return "" if path is None else read_password(path, config.source("smtp-password-file"))


def auth_secret(config: Config) -> str:
    """The secret of the proxy that authenticates people; empty if there is none.

    :raises ConfigError: if it cannot be read.
    """
    path = config.auth_secret_file
    return "" if path is None else read_password(path, config.source("auth-secret-file"))


def read_password(path: Path, option: str) -> str:
    """Read a password from the only line of a file; warn if other users can read the file.

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
