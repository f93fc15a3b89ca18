"""The remedies that the server and ``pushctl doctor`` give name commands and options that exist."""

import re
from collections.abc import Iterator
from typing import Any

import click
import pytest

from pushd.config import OPTIONS
from pushd.core.devices.remedies import remedy
from pushd.model.rejection import RejectionReason
from pushd.pushctl.doctor.device import examine_device
from pushd.pushctl.main import cli
from tests.pushctl.doctor.test_device import AWAY, READER, facts

_CALL = re.compile(r"(?<=')pushctl [^']*(?=')|^pushctl .*$")
"""In quotes, or all of a step."""

_PROBLEMS: list[dict[str, Any]] = [
    {"admission": "blocked"},
    {"admission": "pending"},
    {"proof": []},
    {"learned_hold": 1.0},
    AWAY,
]


def _steps() -> Iterator[str]:
    for reason in RejectionReason:
        for device in ("controlid:7", "servereye:c", None):
            yield remedy(reason, "192.0.2.1", "/controlid/push", device)
    for changes in _PROBLEMS:
        yield examine_device(facts(found={**READER, **changes})).next_step or ""
    yield examine_device(facts(found=None)).next_step or ""


def _command(words: list[str]) -> click.Command:
    command: click.Command = cli
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        command = command.commands[words.pop(0)]
    return command


@pytest.mark.parametrize("step", [step for step in _steps() if step])
def test_step_can_be_taken(step: str) -> None:
    """Each command in a remedy exists with its options, and each other option is one of the server."""
    for call in _CALL.findall(step):
        words = call.split()[1:]
        command = _command(words)
        known = {option for param in command.params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= known, call
    for option in re.findall(r"--([a-z-]+)", _CALL.sub("", step)):
        assert option in OPTIONS, option
