"""The operator: a client of the admin API that sends, repeats and cancels commands, and reads the events."""

from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.task import deferLater

from pushd.simulator.journal import Journal
from tests.harness.admin_api import AdminApi, Json, is_in_doubt
from tests.harness.event_follower import EventFollower
from tests.harness.workload import CommandRequest, Workload

CANCEL_PROBABILITY = 0.12
REPEAT_PROBABILITY = 0.1
"""How often an accepted command is cancelled, and how often it is sent again with the same key."""

WAIT_PROBABILITY = 0.2
"""How often a sender waits for the outcome."""

THEN_CANCEL_PROBABILITY = 0.5
"""How often a command is cancelled that has not ended when its sender stops waiting."""

GIVE_UP_PROBABILITY = 0.5
"""How often a sender does not send a command again after the server has answered that it cannot store it now."""

_WAIT = (0.5, 3.0)

_CANCEL_DELAY = 1.5

_CREATED = 201
_ACCEPTED = 202
_OK = 200


@define(eq=False, kw_only=True)
class Operator:
    """Several concurrent senders, and one reader of the events; each answer is recorded before the next request."""

    api: AdminApi
    journal: Journal
    workload: Workload
    chance: Random
    accepted: Callable[[], None]
    """Called when a new command was accepted, before the next request."""
    not_stored: Callable[[], None] = lambda: None
    """Called when the server could not store a command, before the next request."""
    interval: float
    """Average seconds between two commands of one sender."""
    min_commands: int
    """How many commands must be accepted before the senders finish."""
    follower: EventFollower = field(init=False)
    """Reads the events while the server is killed and started."""
    unavailable: int = field(default=0, init=False)
    """How often the server could not store a command, or could not tell."""
    _count: int = field(default=0, init=False)
    _finishing: bool = field(default=False, init=False)
    _tasks: list[Deferred[None]] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.follower = EventFollower(self.api)

    def start(self, senders: int) -> None:
        """Start so many senders, and the reader of the events."""
        for _ in range(senders):
            self._start_task(self._send_repeatedly())
        self._start_task(self.follower.follow())

    async def finish(self) -> None:
        """Send no more commands, and wait until all requests are answered."""
        self._finishing = True
        self.follower.finish()
        while self._tasks:
            started, self._tasks = self._tasks, []
            try:
                await gatherResults(started, consumeErrors=True)
            except FirstError as error:
                error.subFailure.raiseException()
        self.journal.close()

    def abandon(self) -> None:
        """Cancel all requests, because the server is gone."""
        for task in self._tasks:
            task.addErrback(lambda _: None).cancel()

    def _start_task(self, task: Coroutine[Deferred[Any], Any, None]) -> None:
        self._tasks.append(Deferred.fromCoroutine(task))

    async def _send_repeatedly(self) -> None:
        while not self._finishing or self._count < self.min_commands:
            await deferLater(self.api.clock, self.chance.uniform(0, 2 * self.interval))
            await self.send(self.workload.next())

    async def send(self, request: CommandRequest) -> None:
        """Send a command; it may be sent again later, or cancelled."""
        options = {name: value for name, value in request.body.items() if name != "payload"}
        self._record(request, "send", parts=request.parts, fails=request.fails, **options)
        command = await self._post(request)
        if command is None:
            return
        self._count += 1
        if self.chance.random() < CANCEL_PROBABILITY:
            self._start_task(self._cancel(request, command))
        if self.chance.random() < REPEAT_PROBABILITY:
            await self._post(request)

    async def _post(self, request: CommandRequest) -> str | None:
        """Send a command with its key; the command's id, or None if the request was refused."""
        query = {"wait": f"{self.chance.uniform(*_WAIT):.3f}"} if self.chance.random() < WAIT_PROBABILITY else {}
        if query and self.chance.random() < THEN_CANCEL_PROBABILITY:
            query["then"] = "cancel"
        path = ("devices", request.device, "commands")
        status, answer = await self.api.post(
            *path, body=request.body, query=query, key=request.key, repeats=self._repeats
        )
        if status not in (_CREATED, _ACCEPTED, _OK):
            self._record(request, "refused", status=status, answer=answer)
            return None
        if status != _OK:
            self.accepted()
        command = str(answer["id"])
        self._record(request, "accepted", status=status, command=command, state=answer["state"])
        if "then" in query:
            self._record(request, "cancel", status=status, state=answer["state"], attempts=answer["attempts"])
        return command

    def _repeats(self, unavailable: Json) -> bool:
        """Whether to send a command again that could not be stored; always, if it may be stored nevertheless."""
        self.unavailable += 1
        in_doubt = is_in_doubt(unavailable)
        if not in_doubt and self.chance.random() >= GIVE_UP_PROBABILITY:
            return True
        self.not_stored()
        return in_doubt

    async def _cancel(self, request: CommandRequest, command: str) -> None:
        await deferLater(self.api.clock, self.chance.uniform(0, _CANCEL_DELAY))
        status, answer = await self.api.post("commands", command, "cancel", body={})
        fields = {name: answer.get(name) for name in ("state", "attempts", "title")}
        self._record(request, "cancel", status=status, **fields)

    def _record(self, request: CommandRequest, action: str, **facts: object) -> None:
        self.journal.record(request.device, action, key=request.key, **facts)
