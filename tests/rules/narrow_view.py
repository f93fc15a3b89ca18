"""A view that shows a rule only what it has declared."""

from collections.abc import Sequence
from typing import Any, Self

from attrs import asdict, define, field

from pushd.model.command import Payload
from pushd.rules.records import CommandRecord, DeviceRecord, Handover, Member
from pushd.rules.view import Needs
from tests.rules.plain_view import PlainView


class Undeclared(AssertionError):
    """A rule has looked at something, or changed it, that its needs do not name."""


def _check(is_declared: bool, what: str) -> None:
    if not is_declared:
        raise Undeclared(what)


@define(eq=False)
class NarrowView(PlainView):
    """A copy of a view that shows what ``needs`` allow, and lets only that be changed."""

    needs: Needs = field(kw_only=True)
    _seen: set[str] = field(init=False)
    """The commands that the rule may look at and change."""
    _devices: set[str | None] = field(init=False)
    _handovers: set[str] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        named = [self.commands[command] for command in self.needs.commands if command in self.commands]
        self._seen = set(self.needs.commands)
        self._devices = {command.device for command in named} if self.needs.device is None else {self.needs.device}

    @classmethod
    def of(cls, view: PlainView, needs: Needs) -> Self:
        """A copy of this view."""
        return cls(**asdict(view.copy(), recurse=False), needs=needs)

    def _see(self, command: CommandRecord | None) -> None:
        if command is not None:
            self._seen |= {command.id, command.resent_as or command.id}

    def _check_command(self, command: CommandRecord) -> None:
        _check(command.id in self._seen, f"the command {command.id}")

    def _check_device(self, device: str, what: str, is_declared: bool = True) -> None:
        _check(device in self._devices and is_declared, f"{what} of {device}")

    def device(self, device: str) -> DeviceRecord | None:
        self._check_device(device, "the record")
        return super().device(device)

    def token_revision(self, token: str) -> int | None:
        _check(token == self.needs.token, f"the token {token}")
        return super().token_revision(token)

    def next(self, device: str, limit: int) -> Sequence[CommandRecord]:
        self._check_device(device, "what is next", limit <= self.needs.next)
        found = super().next(device, limit)
        for command in found:
            self._see(command)
        return found

    def next_due(self, device: str) -> int | None:
        self._check_device(device, "what is due", self.needs.next > 0 and not super().next(device, 1))
        return super().next_due(device)

    def count_queued(self, device: str) -> int:
        self._check_device(device, "the number of commands", self.needs.adds)
        return super().count_queued(device)

    def new_id(self, device: str) -> str:
        self._check_device(device, "the greatest id", self.needs.adds)
        return super().new_id(device)

    def command(self, command: str) -> CommandRecord | None:
        _check(command in self._seen, f"the command {command}")
        found = super().command(command)
        self._see(found)
        return found

    def by_key(self, created_by: str, device: str, key: str) -> CommandRecord | None:
        self._check_device(device, f"the key {key}", (created_by, key) == self.needs.key)
        found = super().by_key(created_by, device, key)
        self._see(found)
        return found

    def payload_size(self, command: CommandRecord) -> int:
        self._check_command(command)
        return super().payload_size(command)

    def payload(self, command: CommandRecord) -> Payload:
        self._check_command(command)
        return super().payload(command)

    def outline(self, command: CommandRecord) -> Payload:
        self._check_command(command)
        return super().outline(command)

    def result(self, command: CommandRecord) -> str | None:
        self._check_command(command)
        return super().result(command)

    def newest(self, device: str) -> Handover | None:
        self._check_device(device, "the newest handover", self.needs.newest)
        return self._shown(super().newest(device))

    def by_uuid(self, device: str, uuid: str) -> Handover | None:
        self._check_device(device, f"the handover {uuid}", uuid == self.needs.uuid)
        return self._shown(super().by_uuid(device, uuid))

    def latest_lapsed(self, device: str) -> Handover | None:
        self._check_device(device, "the lapsed handover", self.needs.lapsed)
        return self._shown(super().latest_lapsed(device))

    def _shown(self, handover: Handover | None) -> Handover | None:
        self._handovers |= {attempt.handover for attempt in handover or ()}
        return handover

    def members(self, handover: Handover) -> Sequence[Member]:
        _check(handover[0].handover in self._handovers, f"the handover {handover[0].handover}")
        found = super().members(handover)
        for member in found:
            self._see(member.command)
        return found

    def add(self, command: CommandRecord) -> None:
        self._check_device(command.device, "a new command", self.needs.adds)
        super().add(command)

    def change(self, command: CommandRecord) -> None:
        self._check_command(command)
        super().change(command)

    def set_result(self, command: CommandRecord, result: Any) -> None:
        self._check_command(command)
        super().set_result(command, result)

    def add_handover(self, device: str, handover: Handover) -> None:
        self._check_device(device, "a new handover")
        super().add_handover(device, handover)

    def delete_attempt(self, command: CommandRecord) -> None:
        self._check_command(command)
        super().delete_attempt(command)
