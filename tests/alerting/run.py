"""One run: register a fleet, let a part of it go offline, kill the server meanwhile, and wait until all is cleared."""

from collections.abc import Coroutine
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.web.server import Site

from pushd.demo.layout import HOST
from pushd.model.timestamps import milliseconds, to_rfc3339
from pushd.simulator.faults import seeded_random
from tests.alerting.config import AlertingConfig
from tests.alerting.observations import Observations, ServerRestart
from tests.harness.admin_api import AdminApi, Json, ServerFailed
from tests.harness.alert_mails import cleared_alerts
from tests.harness.environment import read_journal
from tests.harness.final_state import FinalState
from tests.harness.receiver import FlakyReceiver
from tests.harness.server_process import Process, ServerProcess, spawn
from tests.notifications.mail_server import MailServer

ALERT_EVENTS = ("alert.raised", "alert.cleared")
"""The events to which the receiver subscribes."""

PARALLEL_REGISTRATIONS = 20
MUTED_SECONDS = 86_400.0

OVERTIME = 90.0
"""Seconds after all devices came back, when the final state is read in any case."""

RECEIVER_FAILURES = 0.5
"""The share of deliveries that fail."""

REDELIVER_DELAY = 0.05
"""Seconds after a failure, when the receiver asks for redelivery: the server itself would wait five before a retry."""

EVENTS_WAIT = 1.0
POLL_INTERVAL = 0.1


@define(eq=False)
class AlertingRun:
    """The server, the simulator, the receiver and the mail server of one run."""

    config: AlertingConfig
    reactor: Any
    schedule: list[Json] = field(init=False)
    seconds: float = field(default=0.0, init=False)
    """How long the run took."""
    _server: ServerProcess = field(init=False)
    _receiver: FlakyReceiver = field(init=False)
    _mail_server: MailServer = field(init=False)
    _api: AdminApi = field(init=False)
    _webhook: str = field(default="", init=False)
    _redelivery: Any = field(default=None, init=False)
    """The delayed call that asks for redelivery."""
    _followed: list[Json] = field(factory=list, init=False)
    _restart: ServerRestart | None = field(default=None, init=False)
    _simulator_started_at: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self.schedule = self.config.schedule()
        self._server = ServerProcess(self.config, self.reactor)
        chance = seeded_random(self.config.seed, "receiver")
        self._receiver = FlakyReceiver(
            clock=self.reactor, chance=chance, failure_probability=RECEIVER_FAILURES, failed=self._delivery_failed
        )
        self._mail_server = MailServer(port=self.config.smtp_port)

    async def run(self) -> Observations:
        """Run all phases; if the server fails by itself, the result has the failure and no final state."""
        started_at = self.reactor.seconds()
        listening = self.reactor.listenTCP(0, Site(self._receiver), interface=HOST)
        try:
            with self._mail_server.running():
                observations = await self._run_phases(listening.getHost().port)
        except ServerFailed as failure:
            observations = evolve(self._observations(), failures=[str(failure)], has_final_state=False)
        finally:
            self._server.kill()
            await listening.stopListening()
        self.seconds = self.reactor.seconds() - started_at
        return observations

    async def _run_phases(self, receiver_port: int) -> Observations:
        self._server.start()
        await self._server.wait_ready()
        self._api = api = self._server.api()
        await self._register_devices(api)
        await self._subscribe(api, receiver_port)
        following = self._start_task(self._follow(api))
        simulator = spawn(self.reactor, self.config.simulator_command(), self.config.simulator_log)
        try:
            self._simulator_started_at = self.reactor.seconds()
            await self._kill_server(simulator)
            await self._wait_until_cleared(api, simulator)
            following.cancel()
            return await self._read_final_state(FinalState(self.config, self.reactor, api))
        finally:
            following.cancel()
            simulator.signal("KILL")
            await simulator.ended
            self._cancel_redelivery()

    async def _register_devices(self, api: AdminApi) -> None:
        muted_until = to_rfc3339(milliseconds(self.reactor.seconds() + MUTED_SECONDS))
        remaining = iter(self.schedule)

        async def register_remaining() -> None:
            for device in remaining:
                timeout = self.config.heartbeat_timeout(device["role"])
                body: Json = {"id": device["device"], "heartbeat_timeout": timeout}
                if device["role"] == "muted":
                    body["muted_until"] = muted_until
                status, answer = await api.post("devices", body=body)
                assert status in (201, 409), answer

        tasks = [Deferred.fromCoroutine(register_remaining()) for _ in range(PARALLEL_REGISTRATIONS)]
        await gatherResults(tasks, consumeErrors=True)

    async def _subscribe(self, api: AdminApi, receiver_port: int) -> None:
        body = {"url": f"http://{HOST}:{receiver_port}/hook", "types": list(ALERT_EVENTS)}
        status, answer = await api.post("webhooks", body=body)
        assert status == 201, answer
        self._webhook, self._receiver.secret = answer["id"], answer["secret"]

    async def _follow(self, api: AdminApi) -> None:
        after = None
        while True:
            page, after = await api.events(after, EVENTS_WAIT)
            self._followed += page

    async def _kill_server(self, simulator: Process) -> None:
        """Kill and start the server when alert windows are pending and alerts are being delivered."""
        second_wave = {device["device"] for device in self.schedule if self.config.is_in_second_wave(device)}
        chance = seeded_random(self.config.seed, "kill")
        while not (self._are_offline(second_wave) and self._undelivered()) and not self._are_back():
            await self._wait(simulator)
        await deferLater(self.reactor, chance.random() * self.config.timing.window / 4)
        while not self._undelivered() and not self._are_back():  # all may have been delivered meanwhile
            await self._wait(simulator)
        killed_at = self.reactor.seconds()
        undelivered = len(self._undelivered())
        await self._server.kill_and_wait()
        started_at = self.reactor.seconds()
        self._server.start()
        await self._server.wait_ready()
        self._restart = ServerRestart(
            killed_at=milliseconds(killed_at),
            started_at=milliseconds(started_at),
            ready_at=milliseconds(self.reactor.seconds()),
            undelivered=undelivered,
        )

    def _are_offline(self, devices: set[str]) -> bool:
        return devices <= {event["device"] for event in self._followed if event["type"] == "device.offline"}

    def _are_back(self) -> bool:
        return self._seconds() >= self.config.timing.back_at

    def _undelivered(self) -> set[str]:
        """The events about alerts that the receiver has not accepted."""
        return {event["seq"] for event in self._followed if event["type"] in ALERT_EVENTS} - self._receiver.accepted

    async def _wait_until_cleared(self, api: AdminApi, simulator: Process) -> None:
        """Wait until all devices are back and all alerts cleared, delivered and mailed, or should have been."""
        timing = self.config.timing
        settled_at = timing.back_at + timing.heartbeat_timeout
        while self._seconds() < timing.back_at + OVERTIME:
            await self._wait(simulator)
            if self._seconds() > settled_at and not self._undelivered():
                alerts = await api.get_all("alerts")
                mailed = cleared_alerts(received.mail for received in self._mail_server.mails)
                if all(alert["cleared_at"] and alert["id"] in mailed for alert in alerts) and not self._undelivered():
                    return

    async def _wait(self, simulator: Process) -> None:
        self._server.check()
        if simulator.ended.called:
            raise ServerFailed(f"The simulator exited by itself; see {self.config.simulator_log}.")
        await deferLater(self.reactor, POLL_INTERVAL)

    async def _read_final_state(self, final: FinalState) -> Observations:
        events, alerts = await final.events(), await final.api.get_all("alerts")
        violations = await final.online_violations()
        await self._server.stop()
        return evolve(
            self._observations(),
            events=events,
            alerts=alerts,
            violations=violations + await final.offline_violations(),
            failures=list(final.tracebacks()),
        )

    def _observations(self) -> Observations:
        return Observations(
            schedule=self.schedule,
            journal=read_journal(self.config.devices_journal),
            followed=self._followed,
            deliveries=self._receiver.deliveries,
            mails=[received.mail for received in self._mail_server.mails],
            restart=self._restart,
        )

    def _delivery_failed(self) -> None:
        if self._redelivery is None:
            self._redelivery = self.reactor.callLater(REDELIVER_DELAY, lambda: self._start_task(self._redeliver()))

    async def _redeliver(self) -> None:
        try:
            await self._api.post("webhooks", self._webhook, "redeliver", body={})
        finally:
            self._redelivery = None

    def _cancel_redelivery(self) -> None:
        if self._redelivery is not None and self._redelivery.active():
            self._redelivery.cancel()

    def _start_task(self, task: "Coroutine[Deferred[Any], Any, None]") -> "Deferred[None]":
        """Run a task concurrently; a failure of the server is reported elsewhere."""
        return Deferred.fromCoroutine(task).addErrback(
            lambda failure: failure.trap(CancelledError, ServerFailed) and None
        )

    def _seconds(self) -> float:
        """Seconds since the simulator's start."""
        seconds: float = self.reactor.seconds() - self._simulator_started_at
        return seconds
