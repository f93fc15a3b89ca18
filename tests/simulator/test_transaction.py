"""One transaction of a simulated Control iD device."""

import json
from typing import Any

import pytest

from pushd.dialects.controlid.wire import Outcome
from pushd.simulator.controlid.transaction import Push, Report, carry_out, endpoint_of


def obey(command: Push) -> Outcome:
    """Succeed, unless told to fail."""
    return Outcome(error="no") if command.get("endpoint") == "fail" else Outcome(response=dict(command))


def carried(push: Push) -> Any:
    """What is reported about a command or batch."""
    return json.loads(carry_out("u1", push, obey).body)


def test_command() -> None:
    """A command is reported under its uuid and endpoint."""
    report = carry_out("u1", {"endpoint": "go"}, obey)
    assert report == Report(uuid="u1", endpoint="go", body=b'{"response":{"endpoint":"go"}}')
    assert carried({"endpoint": "fail"}) == {"error": "no"}


def test_batch() -> None:
    """Each entry of a batch is reported by its number, or by its place where it has none."""
    first = {"transactionid": "9", "endpoint": "go"}
    entries = [first, {"endpoint": "fail"}, {"transactionid": "x"}, 7, {"transactionid": [1]}]
    results = carried({"transactions": entries})["transactions_results"]
    assert [(result["transactionid"], result["success"]) for result in results] == [
        (9, True),
        (2, False),
        ("x", True),
        (4, True),
        (5, True),
    ]
    assert json.loads(results[0]["response"]) == first


@pytest.mark.parametrize("transactions", [None, [], {}, "x"])
def test_no_batch(transactions: object) -> None:
    """A batch of nothing has no results."""
    assert carried({"transactions": transactions}) == {"transactions_results": []}


@pytest.mark.parametrize("push", [{"endpoint": "go"}, {"transactions": [{"transactionid": "1"}]}])
@pytest.mark.parametrize("response", ["\ud800", float("nan")])
def test_unwritable(push: Push, response: object) -> None:
    """A response that cannot be written becomes an error, of a command as of a batch."""
    report = carry_out("u1", push, lambda _: Outcome(response=[response]))
    assert list(json.loads(report.body)) == ["error"]


@pytest.mark.parametrize(
    ("endpoint", "told"), [("go", "go"), ("", ""), (None, None), (["go"], None), ("\ud800", None)]
)
def test_endpoint(endpoint: object, told: str | None) -> None:
    """An endpoint that is no text is not repeated."""
    assert endpoint_of({"endpoint": endpoint}) == told
