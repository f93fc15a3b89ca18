"""Tests of :mod:`pushd.dialects.servereye.catalogue`."""

from typing import Any

import pytest

from pushd.dialects.servereye.catalogue import check_parameters
from pushd.model.errors import InvalidFields


@pytest.mark.parametrize(
    "payload",
    [
        {"control": "REFRESH_AGENT"},
        {"control": "our own word", "message": "a|b"},
        {"control": "REMOTE_ACTION", "message": 'agent|restart|{"now": "a\\u007cb"}'},
        {"control": "REMOTE_ACTION", "message": "7|x| {}", "data": "as it is"},
        {"control": "DELETE_AGENT", "data": None},
    ],
)
def test_accepts(payload: dict[str, Any]) -> None:
    """Any message may be sent, except one that a client cannot read."""
    check_parameters(payload)


@pytest.mark.parametrize("message", [None, "", "a|b", "a|b|", "a||{}", "a|b|7", "a|b|{", "a|b|{}|c", 'a|b|{"x": "|"}'])
def test_remote_action_that_a_client_cannot_read(message: str | None) -> None:
    """The message of a REMOTE_ACTION must have two texts and a JSON object, with ``|`` nowhere else."""
    payload = {"control": "REMOTE_ACTION"} | ({} if message is None else {"message": message})
    with pytest.raises(InvalidFields) as caught:
        check_parameters(payload)
    (error,) = caught.value.errors
    assert error.pointer == "#/payload/message"
    assert "a|b|{json}" in error.detail
    assert error.detail.endswith("(unchecked=1 skips this check)")
