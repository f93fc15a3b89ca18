"""
The proof that a store keeps the promises of section 2 of the design, whatever happens and in whatever order.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from pushd.model.command import Command
from pushd.model.device import Load
from pushd.model.events import Event
from pushd.model.lifecycle import State
from pushd.model.moments import Now
from pushd.store.interface import CommandFilter, EventFilter, Known
from pushd.store.sqlite import SqliteStore
from tests.proof.conftest import THOROUGH
from tests.proof.fate import OUR_WORDS, Fate
from tests.proof.machine import ALL, DEVICES, Machine, gave
from tests.proof.model import Told


class InMemory(Machine):
    """
    What is compared after every step.
    """

    @invariant()
    def every_command_stands_as_it_should(self) -> None:
        """
        Each is in its state, with its evidence and its times.
        """
        listed = gave(self.store.commands(CommandFilter(), None, ALL))
        assert {command.id for command in listed} == set(self.model.fates)
        for command in listed:
            fate = self.model.fates[command.id]
            seen = gave(self.store.command(command.id))
            assert _seen(seen) == _expected(fate)
            assert bool(seen.error) if fate.error == OUR_WORDS else seen.error == fate.error

    @invariant()
    def every_lease_ends_when_it_should(self) -> None:
        """
        What is out has what is left of its time.
        """
        for name, fate in self.model.fates.items():
            if fate.lease_until is not None:
                left = max(fate.lease_until - self.now.steady, 0)
                assert gave(self.store.standing(name, self.now)).lease_left == left

    @invariant()
    def the_load_is_counted(self) -> None:
        """
        What waits for each device, and what is out at it.
        """
        for name in DEVICES:
            fates = self.model.of(name)
            waiting = sum(fate.state is State.QUEUED for fate in fates)
            assert gave(self.store.load(name)) == Load(queue=waiting, in_flight=sum(fate.is_out for fate in fates))

    @invariant()
    def the_feed_tells_every_change_in_order(self) -> None:
        """
        What listeners heard is what changed, and what is kept.
        """
        assert [_told(event) for event in self.heard] == self.model.feed

    @invariant()
    def orphans_are_kept(self) -> None:
        """
        What settled nothing can be seen, the newest of each device first.
        """
        for name in DEVICES:
            kept = [orphan.raw for orphan in gave(self.store.orphans(name, None, ALL))]
            assert kept == self.model.parties[name].orphans[::-1]

    @invariant()
    def everything_that_waits_can_be_had(self) -> None:
        """
        Memory knows of each device when to look for what waits for it.
        """
        for name in DEVICES:
            waiting = [f for f in self.model.of(name) if f.state is State.QUEUED and f.expires_at > self.now.wall]
            if waiting:
                due = self.queued.due(name)
                assert due is not None
                assert due <= max(self.now.wall, min(fate.draft.terms.not_before or 0 for fate in waiting))

    @invariant()
    def every_result_is_expected(self) -> None:
        """
        Memory knows of each device for which a result may still come.
        """
        for fate in self.model.fates.values():
            if fate.is_out or fate.is_in_doubt:
                assert fate.draft.device in self.reportable

    @invariant()
    def nothing_is_stored_that_cannot_be(self) -> None:
        """
        The store finds no flaw in itself, as of the last sweep.
        """
        flaws = gave(self.store.fsck(Now(self.lowest, self.now.steady)))
        assert not flaws, flaws


class InAFile(InMemory):
    """
    The same over a file that is closed and opened again.
    """

    def make(self) -> SqliteStore:
        """
        A store in a folder of its own.
        """
        self.folder = TemporaryDirectory()
        return SqliteStore(path=str(Path(self.folder.name) / "pushd.sqlite"))

    def reopen(self) -> Known:
        """
        Stop, and start as a new process does.
        """
        gave(self.store.close())
        self.store = SqliteStore(path=self.store.path)
        self.store.subscribe(self.hear)
        return self.store.open(self.now)

    def teardown(self) -> None:
        """
        Leave nothing behind.
        """
        super().teardown()
        self.folder.cleanup()

    @invariant()
    def the_feed_is_kept(self) -> None:
        """
        Whoever reads the feed from its start reads what was told as it happened.
        """
        kept = gave(self.store.events(EventFilter(), 0, ALL)).items
        assert {event.seq: event for event in kept} == {event.seq: event for event in self.heard}


_SAME = (
    "max_attempts created_at expires_at acknowledged_at finished_at result late evidence matched_by resent_as".split()
)


def _expected(fate: Fate) -> dict[str, Any]:
    counted = {"state": fate.state, "attempts": len(fate.attempts), "sent_at": fate.sent_at}
    return counted | {name: getattr(fate, name) for name in _SAME}


def _seen(command: Command) -> dict[str, Any]:
    return {name: getattr(command, name) for name in ("state", "attempts", "sent_at", *_SAME)}


def _told(event: Event) -> Told:
    why = {"command.sent": "attempt", "command.queued": "reason"}.get(event.type)
    return Told(str(event.type), event.at, event.device, event.command, why and event.data.get(why))


def _budget(examples: int, steps: int) -> settings:
    """
    The same runs each time, unless the thorough profile is asked for.
    """
    default = settings.default
    thorough = default is not None and default is settings.get_profile(THOROUGH)
    return settings(
        max_examples=default.max_examples if default is not None and thorough else examples,
        stateful_step_count=2 * steps if thorough else steps,
        derandomize=not thorough,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def test_a_store_keeps_every_promise_whatever_happens() -> None:
    """
    Through any order of requests, polls, reports, hang-ups, clocks and restarts, a store in memory is as it should be.
    """
    run_state_machine_as_test(InMemory, settings=_budget(100, 50))


def test_a_store_in_a_file_keeps_every_promise_over_restarts() -> None:
    """
    The same holds for a store in a file that is closed and opened again.
    """
    run_state_machine_as_test(InAFile, settings=_budget(10, 30))
