"""A store in a file beside a plain one, to do the same to both and compare them."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from attrs import fields
from hypothesis.stateful import RuleBasedStateMachine
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pushd.model.command import Command, Draft
from pushd.model.errors import IllegalMove
from pushd.model.timestamps import Now
from pushd.store.filters import CommandFilter
from pushd.store.sqlite.store import SqliteStore
from tests.store.plain import PlainCommand, PlainStore
from tests.store.samples import STEADY, WALL, draft

T = TypeVar("T")

ALL = 1_000_000
"""As many as there are."""


def result_of(deferred: Deferred[T]) -> T:
    """What a verb gave, which a store without threads has done by now."""
    gave: list[T] = []
    failed: list[Failure] = []
    deferred.addCallbacks(gave.append, failed.append)
    if failed:
        failed[0].raiseException()
    return gave[0]


def allowed(verb: Callable[[], Deferred[Any]]) -> bool:
    """Whether a verb was done, or refused as illegal."""
    try:
        result_of(verb())
    except IllegalMove:
        return False
    return True


class Both(RuleBasedStateMachine):
    """What the rules of a test work on."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.plain = PlainStore()
        self.now = Now(wall=WALL, steady=STEADY)
        self.start()

    def start(self) -> None:
        """Open the store as a new process does."""
        self.store = SqliteStore(path=str(Path(self.folder.name) / "pushd.sqlite"))
        self.known = self.store.open(self.now)

    def teardown(self) -> None:
        """Leave nothing behind."""
        result_of(self.store.close())
        self.folder.cleanup()

    def draft(self, **fields: Any) -> Draft:
        """The next command."""
        return draft(len(self.plain.commands) + 1, **fields)

    def add(self, sent: Draft) -> str:
        """Let the plain store know of a command that was sent; its id."""
        terms = sent.terms
        starts = max(self.now.wall, terms.not_before or 0)
        self.plain.commands[sent.id] = PlainCommand(
            id=sent.id,
            delivery=terms.delivery,
            priority=terms.priority,
            not_before=terms.not_before or 0,
            expires_at=starts + round(terms.ttl * 1000),
            max_attempts=terms.max_attempts,
            lease=round(sent.lease * 1000),
            deadline=round(terms.deadline * 1000),
            resend_of=sent.resend_of,
        )
        return sent.id

    def compare(self) -> None:
        """Find every command of the store as the plain one says it stands, to the last field."""
        listed = result_of(self.store.commands(CommandFilter(), None, ALL))
        assert [command.id for command in listed] == sorted(self.plain.commands, reverse=True)
        for command in listed:
            expected = self.plain.commands[command.id]
            assert _shown(result_of(self.store.command(command.id))) == _shown(expected)
            left = result_of(self.store.command_context(command.id, self.now)).lease_left
            until = expected.lease_until
            assert left == (None if until is None else max(until - self.now.steady, 0))


_KEPT_BACK = ("not_before", "lease", "deadline", "lease_until", "deadline_until")  # in other units, or not shown
_SHOWN = [attribute.name for attribute in fields(PlainCommand) if attribute.name not in _KEPT_BACK]


def _shown(command: Command | PlainCommand) -> dict[str, Any]:
    return {name: getattr(command, name) for name in _SHOWN}
