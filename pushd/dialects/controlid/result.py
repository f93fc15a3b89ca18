"""Results of Control iD devices, and what they mean for a command."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from attrs import evolve, field, frozen

from pushd.dialects.controlid.self_description import DESCRIBES_ITSELF, read_facts
from pushd.lib import strict_json
from pushd.lib.large_json import Item
from pushd.model.command import Endpoints, Payload
from pushd.model.facts import NO_FACTS, Facts
from pushd.model.large_text import Text, to_text
from pushd.model.lifecycle import Move
from pushd.model.result import Verdict

UNREADABLE = "unreadable result"

_NO_REASON = "the device gave no reason"
BATCH_FIELDS = ("transactions_results", "transaction_results")
ENTRY_FIELDS = ("transactionid", "response", "error", "success")

MAX_TRANSACTIONS = 10_000
"""Entries of a batch, and of its result."""

_SUCCEEDED = Verdict(move=Move.SUCCEED)

_MAX_DIGITS = 40
"""Texts with more digits are not compared as numbers; Python refuses to convert thousands of digits."""


@frozen(kw_only=True)
class ReportedOutcome:
    """What a result says about one command: an error, a response, or neither."""

    error: str | None = None
    has_response: bool = False


_NOTHING_REPORTED = ReportedOutcome()


@frozen(kw_only=True)
class ControlIdResult:
    """A :class:`pushd.model.result.DeviceResult`: the body of a ``POST /result``, read."""

    message: str | None = field(default=None, init=False)
    uuid: str | None
    endpoint: str | None
    result: Text | None
    raw: bytes
    size: int
    unreadable: str | None = None
    """Why the body cannot be read; if this is set, the next two are empty."""
    outcome: ReportedOutcome = _NOTHING_REPORTED
    """Of the command, or of a batch as a whole."""
    transactions: Mapping[str, ReportedOutcome] | None = None
    """Of each entry of a batch, by :func:`normalized_id`."""
    entry_texts: Mapping[str, Text] | None = None
    """The JSON text of each entry of a large batch; None for others, whose entries are read again when needed."""
    only_entry: ReportedOutcome | None = None
    """Of the entry of a batch with one entry, whatever its id."""

    def concerns(self, payload: Payload) -> bool:
        """Whether the result names no endpoint, or one that is in ``payload``."""
        if self.endpoint is None:
            return True
        commands = payload.get("transactions", [payload])
        return endpoint_name(self.endpoint) in (command["endpoint"] for command in commands)

    def judge(self, payload: Payload) -> Verdict:
        """An error fails the command; a response, or one to each entry of a batch, is success."""
        if self.unreadable is not None:
            return Verdict(move=Move.GARBLE, error=self.unreadable)
        if self.outcome.error is not None:
            return Verdict(move=Move.FAIL, error=self.outcome.error)
        if "transactions" in payload:
            return self._judge_batch(payload["transactions"])
        if self.outcome.has_response:
            return _SUCCEEDED
        if self.transactions is None:
            return Verdict(move=Move.FAIL, error=_NO_REASON)  # an empty error, and no response
        if self.only_entry is not None and self.uuid is not None:
            return _verdict(self.only_entry)
        # several results, or one of which only the order says to which command it belongs
        return Verdict(move=Move.GARBLE, error="the device answered a batch, but was sent a single command")

    def facts(self, payload: Payload) -> Facts:
        """What the device says of itself in its answer to ``system_information``, alone or in a batch."""
        if "transactions" not in payload and payload["endpoint"] != DESCRIBES_ITSELF:
            return NO_FACTS
        entries = with_transaction_ids(payload.get("transactions", [payload]))
        names = [normalized_id(entry["transactionid"]) for entry in entries if entry["endpoint"] == DESCRIBES_ITSELF]
        if not names:
            return NO_FACTS
        return read_facts(self.result) if self.transactions is None else self._facts_of_entries(names)

    def _facts_of_entries(self, names: Iterable[str | None]) -> Facts:
        try:
            texts = self._texts
        except (strict_json.UnreadableBody, RecursionError):
            return NO_FACTS
        if len(texts) == 1:  # of a single command, with whatever id
            return read_facts(*texts.values())
        return {name: fact for entry in names for name, fact in read_facts(texts.get(entry or "")).items()}

    def part(self, position: int) -> "ControlIdResult | None":
        """The result of the command at this place of a batch, from 1; an error of the batch is an error of each."""
        if self.transactions is not None and self.outcome.error is None:
            try:
                return self._entry(str(position), self.transactions)
            except (strict_json.UnreadableBody, RecursionError):  # where the stack is deeper than where it was read
                return evolve(self, result=to_text(raw_result(self._small_text.encode())), unreadable=UNREADABLE)
        if self.outcome.has_response:
            return evolve(self, unreadable="the device answered a single command, but was sent a batch")
        return self

    def _entry(self, name: str, transactions: Mapping[str, ReportedOutcome]) -> "ControlIdResult | None":
        """An entry as a result of its own; None if it reports nothing."""
        outcome = transactions.get(name, _NOTHING_REPORTED)
        if outcome == _NOTHING_REPORTED:
            return None
        return evolve(
            self,
            result=self._texts[name],
            outcome=outcome,
            transactions=None,
            entry_texts=None,
            endpoint=None,
            raw=b"",
        )

    @property
    def _small_text(self) -> str:
        """The result, unless it is large."""
        return self.result if isinstance(self.result, str) else ""

    @cached_property
    def _texts(self) -> Mapping[str, Text]:
        """The JSON text of each entry; of a small result parsed again, because few results are split."""
        if self.entry_texts is not None:
            return self.entry_texts
        posted = batch_entries(strict_json.parse(self._small_text or "{}")) or []
        entries = strict_json.parse(posted) if isinstance(posted, str) else posted
        return {
            name: to_text(strict_json.write(entry))
            for entry in entries
            if isinstance(entry, dict) and (name := normalized_id(entry.get("transactionid"))) is not None
        }

    def _judge_batch(self, transactions: Iterable[Payload]) -> Verdict:
        outcomes = self.transactions or {}
        sent = [entry["transactionid"] for entry in with_transaction_ids(transactions)]
        if len(sent) == 1 and self.transactions is None and self.outcome.has_response and self.uuid is not None:
            return _SUCCEEDED  # answered as a single command, which it is
        errors = list(_entry_errors(outcomes, sent))
        if errors:
            return Verdict(move=Move.FAIL, error=strict_json.one_line("; ".join(errors)))
        return _SUCCEEDED


def raw_result(body: bytes) -> str:
    """What is kept as the result if a body cannot be read."""
    return strict_json.write({"raw": b64encode(body).decode("ascii")})


def _verdict(outcome: ReportedOutcome) -> Verdict:
    if outcome.has_response and outcome.error is None:
        return _SUCCEEDED
    return Verdict(move=Move.FAIL, error=outcome.error or _NO_REASON)


def batch_entries(fields: Mapping[str, Any]) -> Any:
    """What a result has as the results of a batch, in either spelling; None if it has none."""
    return next((fields[key] for key in BATCH_FIELDS if key in fields), None)


def entry_texts(entries: Iterable[object]) -> dict[str, Text]:
    """The JSON text of each entry of a large batch, by :func:`normalized_id`."""
    items = {normalized_id(entry.get("transactionid")): entry for entry in entries if isinstance(entry, Item)}
    return {name: to_text(item.text) for name, item in items.items() if name is not None}


def endpoint_name(endpoint: str) -> str:
    """An endpoint as a push names it: without the leading slash and the ``.fcgi`` of a device's own HTTP interface."""
    return endpoint.lstrip("/").removesuffix(".fcgi")


def endpoints(payload: Payload) -> Endpoints:
    """What a payload that was checked calls."""
    if "transactions" not in payload:
        return str(payload["endpoint"])
    return tuple(dict.fromkeys(entry["endpoint"] for entry in payload["transactions"]))


def with_transaction_ids(transactions: Iterable[Payload]) -> list[dict[str, Any]]:
    """The entries of a batch, each with a ``transactionid``: its place, from 1, where the operator gave none."""
    return [{"transactionid": str(place)} | dict(entry) for place, entry in enumerate(transactions, 1)]


def normalized_id(transactionid: object) -> str | None:
    """A transactionid in the form in which ids are compared; None if it is neither a string nor a number.

    A device may return a number where it received a string, so ``"1"``, ``"01"``, ``1`` and ``1.0`` are the same id.
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
            is_number = digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_DIGITS
            return str(int(transactionid)) if is_number else transactionid
        case _:
            return None


def read_outcome(fields: Mapping[str, object]) -> ReportedOutcome:
    """The outcome in the fields of a result: an error unless it is empty, or a response even if it is empty."""
    error = fields.get("error")
    if error.strip() if isinstance(error, str) else error:
        return ReportedOutcome(error=strict_json.one_line(error) or _NO_REASON)
    return ReportedOutcome(has_response="response" in fields)


def read_transactions(entries: Iterable[object]) -> dict[str, ReportedOutcome]:
    """The outcomes in ``transactions_results``, by id; of two with the same id, an error wins."""
    outcomes: dict[str, ReportedOutcome] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        name, outcome = normalized_id(entry.get("transactionid")), _read_entry(entry)
        if name is None:
            continue
        if name not in outcomes or (outcomes[name].error is None and outcome != _NOTHING_REPORTED):
            outcomes[name] = outcome
    return outcomes


def read_only_entry(entries: Sequence[object]) -> ReportedOutcome | None:
    """The outcome of the entry, if there is just one."""
    return _read_entry(entries[0]) if len(entries) == 1 and isinstance(entries[0], dict) else None


def _read_entry(entry: Mapping[str, object]) -> ReportedOutcome:
    outcome, success = read_outcome(entry), entry.get("success")
    if outcome.error is None and success in (False, "false"):
        return ReportedOutcome(error=strict_json.one_line(entry.get("response") or "") or _NO_REASON)
    return ReportedOutcome(error=outcome.error, has_response=outcome.has_response or success in (True, "true"))


def _entry_errors(outcomes: Mapping[str, ReportedOutcome], sent: Iterable[object]) -> Iterator[str]:
    for name in sent:
        outcome = outcomes.get(normalized_id(name) or "", _NOTHING_REPORTED)
        if outcome.error is not None:
            yield f"transaction {name}: {outcome.error}"
        elif not outcome.has_response:
            yield f"transaction {name}: no answer"
