"""What a Control iD device says became of a command, and what that means."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from attrs import evolve, field, frozen

from pushd.lib import strict_json
from pushd.model.command import Payload
from pushd.model.lifecycle import Move
from pushd.model.result import Verdict

_NO_REASON = "the device gave no reason"
_SUCCEEDED = Verdict(move=Move.SUCCEED)

_LONGEST = 40
"""Digits up to which a transactionid counts as a number; Python refuses to read thousands."""


@frozen(kw_only=True)
class Answer:
    """What a result says about one command: an error, a response, or nothing that would tell."""

    error: str | None = None
    answered: bool = False


_SILENCE = Answer()


@frozen(kw_only=True)
class ControlIdResult:
    """A device's result. See :class:`pushd.model.result.DeviceResult`."""

    message: str | None = field(default=None, init=False)
    uuid: str | None
    endpoint: str | None
    result: str | None
    raw: bytes
    size: int
    unreadable: str | None = None
    """Why nobody can tell what the device said; if this is set, the next two say nothing."""
    answer: Answer = _SILENCE
    """About the command, or about a batch as a whole."""
    transactions: Mapping[str, Answer] | None = None
    """About each entry of a batch, by :func:`reference`."""

    def concerns(self, payload: Payload) -> bool:
        """Whether the endpoint that the device names, if it names one, is one that ``payload`` asks for."""
        if self.endpoint is None:
            return True
        commands = payload.get("transactions", [payload])
        return bare(self.endpoint) in (command["endpoint"] for command in commands)

    def judge(self, payload: Payload) -> Verdict:
        """An error fails the command; a response, or for a batch one to each entry that was sent, is success."""
        if self.unreadable is not None:
            return Verdict(move=Move.GARBLE, error=self.unreadable)
        if self.answer.error is not None:
            return Verdict(move=Move.FAIL, error=self.answer.error)
        if "transactions" in payload:
            return self._judge_batch(payload["transactions"])
        if self.answer.answered:
            return _SUCCEEDED
        if self.transactions is None:
            return Verdict(move=Move.FAIL, error=_NO_REASON)  # an error without a text, and no response
        # transactions_results for a command that was no batch: whatever it is about, it is not an answer to this
        return Verdict(move=Move.GARBLE, error="the device answered a batch, but was sent a single command")

    def part(self, position: int) -> "ControlIdResult | None":
        """What the entry for this place says; an error, or what nobody can read, speaks of all that went together."""
        if self.transactions is not None and self.answer.error is None:
            return self._entries.get(str(position))
        if self.answer.answered:
            return evolve(self, unreadable="the device answered a single command, but was sent a batch")
        return self

    @cached_property
    def _entries(self) -> "Mapping[str, ControlIdResult]":
        """Each entry as a report of its own; read anew, since few results are taken apart."""
        posted = strict_json.parse(self.result or "{}").get("transactions_results", [])
        entries = strict_json.parse(posted) if isinstance(posted, str) else posted
        told = {reference(entry.get("transactionid")): entry for entry in entries if isinstance(entry, dict)}
        return {
            name: evolve(
                self, result=strict_json.write(told[name]), answer=answer, transactions=None, endpoint=None, raw=b""
            )
            for name, answer in (self.transactions or {}).items()
            if answer != _SILENCE
        }

    def _judge_batch(self, transactions: Iterable[Payload]) -> Verdict:
        told = self.transactions or {}
        errors = list(_complaints(told, (entry["transactionid"] for entry in numbered(transactions))))
        if errors:
            return Verdict(move=Move.FAIL, error=strict_json.one_line("; ".join(errors)))
        return _SUCCEEDED


def bare(endpoint: str) -> str:
    """An endpoint as it is written in a push; on a device's own network it has a slash before it and ``.fcgi`` after
    it.
    """
    return endpoint.lstrip("/").removesuffix(".fcgi")


def numbered(transactions: Iterable[Payload]) -> list[dict[str, Any]]:
    """The entries of a batch, each with its ``transactionid``: its place, counted from one, where the operator gave
    none.
    """
    return [{"transactionid": str(place)} | dict(entry) for place, entry in enumerate(transactions, 1)]


def reference(transactionid: object) -> str | None:
    """A transactionid in the form in which two are compared, by value; None if it is neither text nor number.

    A device sends a number back where it was sent a string, so ``"1"``, ``"01"``, ``1`` and ``1.0`` are one.
    """
    match transactionid:
        case bool():
            return None
        case float() if transactionid.is_integer():
            return str(int(transactionid))
        case int() | float():
            return str(transactionid)
        case str():
            digits = transactionid.removeprefix("-")
            whole = digits.isascii() and digits.isdecimal() and len(digits) <= _LONGEST
            return str(int(transactionid)) if whole else transactionid
        case _:
            return None


def read_answer(fields: Mapping[str, object]) -> Answer:
    """What the fields of a result say: an error that is not empty, or a response, be it empty."""
    error = fields.get("error")
    if error.strip() if isinstance(error, str) else error:
        return Answer(error=strict_json.one_line(error) or _NO_REASON)
    return Answer(answered="response" in fields)


def read_transactions(entries: Iterable[object]) -> dict[str, Answer]:
    """What the entries of ``transactions_results`` say; if two speak of one command, an error has the last word."""
    told: dict[str, Answer] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        name, answer = reference(entry.get("transactionid")), _read_entry(entry)
        if name is not None and (name not in told or (told[name].error is None and answer != _SILENCE)):
            told[name] = answer
    return told


def _read_entry(entry: Mapping[str, object]) -> Answer:
    answer, success = read_answer(entry), entry.get("success")
    if answer.error is None and success in (False, "false"):
        return Answer(error=_NO_REASON)
    return Answer(error=answer.error, answered=answer.answered or success in (True, "true"))


def _complaints(told: Mapping[str, Answer], sent: Iterable[str]) -> Iterator[str]:
    for name in sent:
        answer = told.get(reference(name) or name, _SILENCE)
        if answer.error is not None:
            yield f"transaction {name}: {answer.error}"
        elif not answer.answered:
            yield f"transaction {name}: no answer"
