"""A node among those that share a database, as the core sees it: its beats, and the devices that it serves."""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from math import inf
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from pushd.lib.background import returns_deferred
from pushd.model.event import Event, EventType
from pushd.model.timestamps import Now
from pushd.store.group_commit import PendingTransaction
from pushd.store.membership import IMembership, OnMove, TakenOver
from pushd.store.postgres import sightings
from pushd.store.postgres.listener import MAX_SILENCE
from pushd.store.postgres.node import DEAD, SILENCE, Beat, Node
from pushd.store.postgres.service_clock import ServiceClock
from pushd.store.postgres.sightings import Move

Submit = Callable[..., Deferred[Any]]
"""Runs an operation with its arguments in a transaction that writes."""

InThread = Callable[[Callable[[], Beat]], Deferred[Beat]]
"""Calls a function that blocks; one at a time."""

DEVICE_CHANGES = (
    EventType.DEVICE_REGISTERED,
    EventType.DEVICE_PENDING,
    EventType.DEVICE_APPROVED,
    EventType.DEVICE_DELETED,
)
"""Events after which a device may be served of which nothing was saved."""

SAVED_TOGETHER = 100
"""Devices that one operation saves to be served by this node: it is put off while another node holds one of them."""

_NOT_SAVED = -1
"""Instead of the number of a move: of a pending device nothing is saved, and nothing is sent to it."""


@frozen
class BlockingCalls:
    """An :class:`pushd.store.group_commit.IRunner` of functions that use no connection of the store."""

    def run(self, group: Sequence[PendingTransaction]) -> Sequence[PendingTransaction]:
        """Call the functions, one after the other."""
        for pending in group:
            try:
                pending.outcome = pending.operation(*pending.args)
            except Exception:  # whatever it is, the executor must go on
                pending.outcome = Failure()
        return group

    def close(self) -> None:
        """Nothing is to be closed."""


@implementer(IMembership)
@define(eq=False)
class Membership:
    """The ``IMembership`` of a node."""

    node: Node
    clock: ServiceClock
    submit: Submit
    in_thread: InThread
    silence: Callable[[], float]
    """Seconds for which other nodes may have changed what this one does not know."""
    _dead: tuple[str, ...] = field(default=(), init=False)
    """The nodes that were dead at the last beat."""
    _outage: float = field(default=0.0, init=False)
    _served_for: Mapping[str, float] = field(factory=dict, init=False)
    """For how many seconds this node, and those of its name before, served a device when it started."""
    _beat_at: float = field(default=0.0, init=False)
    """When the last beat was, in seconds since the machine was started."""
    _serving: dict[str, list[Deferred[None]]] = field(factory=dict, init=False)
    """Those that wait until it is committed that this node serves a device."""
    _is_saving: bool = field(default=False, init=False)
    """Whether it is being saved that this node serves some of them."""
    _moves: dict[str, tuple[int, bool]] = field(factory=dict, init=False)
    """The number of the last known move of each device that this node serves, or has served; and whether it does."""
    _listeners: list[OnMove] = field(factory=list, init=False)
    _may_be_unserved: bool = field(default=True, init=False)
    """Whether there may be devices that no node has ever served."""

    def join(self) -> None:
        """Become a node; blocks.

        :raises Unavailable: if the database cannot be reached.
        :raises StoreRefused: if this program is too old for the schema.
        """
        beat = self.node.join()
        silence = 0 if beat.previous is None else beat.wall - beat.previous
        self._outage = silence / 1000 if silence > SILENCE else 0.0
        self._on_beat(beat)

    def outage(self) -> float:
        return self._outage

    def served_for(self, device: str) -> float:
        return self._served_for.get(device, inf)

    def begin(self, moves: Sequence[Move], served_for: Mapping[str, float]) -> None:
        """Take over which devices this node served before it was started again, and for how many seconds."""
        self._served_for = served_for
        self.load(moves)

    def load(self, moves: Sequence[Move], before: Collection[str] = ()) -> None:
        """Take over which devices this node serves, as it is stored: notifications may have been missed.

        ``before`` are those that it served when that was begun to be read; it may serve others since.
        """
        here = {move.device for move in moves}
        for device in before:
            if device not in here and self._moves[device][0] != _NOT_SAVED:
                self.lose(device)
        for move in moves:
            self.note(move)

    @property
    def served(self) -> Collection[str]:
        """The devices that this node serves."""
        return [device for device, (_, is_here) in self._moves.items() if is_here]

    def note(self, move: Move) -> None:
        """A device has moved to this node, or to another one; older news than are known are ignored."""
        number, was_here = self._moves.get(move.device, (_NOT_SAVED, False))
        is_here = move.node == self.node.name
        if move.number <= number or not (is_here or move.device in self._moves):
            return
        self._moves[move.device] = move.number, is_here
        if is_here != was_here:
            self._call_listeners(move.device, is_here)

    def lose(self, device: str) -> None:
        """Another node serves a device; it is not known which, and since when."""
        number, was_here = self._moves.get(device, (_NOT_SAVED, False))
        if was_here:
            self._moves[device] = number, False
            self._call_listeners(device, False)

    def on_device_change(self, event: Event) -> None:
        """A device was added, approved or deleted: what it polls next is saved."""
        if event.device is not None and self._moves.get(event.device, (_NOT_SAVED, True))[0] == _NOT_SAVED:
            self._moves.pop(event.device, None)

    def node_name(self) -> str:
        return self.node.name

    def is_shared(self) -> bool:
        return True

    @returns_deferred
    async def beat(self) -> Now | None:
        self._on_beat(await self.in_thread(self.node.beat))
        return self.clock.now()

    def _on_beat(self, beat: Beat) -> None:
        self.clock.follow(beat)
        self._dead, self._beat_at = beat.dead, self.node.uptime()

    def is_cut_off(self) -> bool:
        return self.node.uptime() - self._beat_at > DEAD / 1000

    def clock_offset(self) -> float:
        return self.node.offset

    def lacks_events(self) -> bool:
        return self.node.seen.is_lost

    def hears(self) -> bool:
        return self.silence() <= MAX_SILENCE

    def serves(self, device: str) -> bool:
        place = self._moves.get(device)
        return place is not None and place[1]

    def serve(self, device: str) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self._serving.setdefault(device, []).append(done)
        self._save_served()
        return done

    def _save_served(self) -> None:
        """Save that this node serves those that wait for it: many at once, when another node has died."""
        if self._is_saving or not self._serving:
            return
        self._is_saving = True
        devices = list(islice(self._serving, SAVED_TOGETHER))
        self.submit(sightings.serve, devices, self.node.name).addBoth(self._on_served, devices)

    @returns_deferred
    async def take_over(self, limit: int) -> Sequence[TakenOver]:
        if not (self._dead or self._may_be_unserved):
            return ()
        taken = await self.submit(sightings.take_over, self.node.name, self._dead, limit)
        self._may_be_unserved = bool(taken)
        for _, move in taken:
            self.note(move)
        return [device for device, _ in taken]

    def subscribe(self, on_move: OnMove) -> None:
        self._listeners.append(on_move)

    def _on_served(self, outcome: Mapping[str, Move] | Failure, devices: Sequence[str]) -> None:
        self._is_saving = False
        waiting = [(device, self._serving.pop(device)) for device in devices]
        self._save_served()
        for device, each in waiting:
            if not isinstance(outcome, Failure):
                self._note_served(device, outcome.get(device))
            for done in each:
                if isinstance(outcome, Failure):
                    done.errback(outcome)
                else:
                    done.callback(None)

    def _note_served(self, device: str, move: Move | None) -> None:
        if move is None:
            self._moves[device] = _NOT_SAVED, True
        else:
            self.note(move)

    def _call_listeners(self, device: str, is_here: bool) -> None:
        for listener in self._listeners:
            listener(device, is_here)
