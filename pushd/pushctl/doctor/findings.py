"""Findings: what an examination has found, and what to do about it."""

from collections.abc import Sequence
from enum import StrEnum

from attrs import frozen

from pushd.pushctl.exit_codes import ExitCode


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


class Check(StrEnum):
    """What was checked."""

    SERVER = "server"
    TOKEN = "token"
    DEVICE_PORT = "device_port"
    DEVICE = "device"
    REJECTIONS = "rejections"


@frozen
class Finding:
    """What a check has found, in a sentence, and the next step if there is one to take."""

    check: Check
    status: Status
    detail: str
    next_step: str | None = None


ABOUT_DEVICES = (Check.DEVICE, Check.REJECTIONS)


def exit_code(findings: Sequence[Finding]) -> ExitCode:
    """The exit code: whether the server or its ports cannot be used, or else whether a device has a problem."""
    wrong = [finding.check for finding in findings if finding.status is Status.WRONG]
    if not wrong:
        return ExitCode.SUCCEEDED
    return ExitCode.TROUBLE if all(check in ABOUT_DEVICES for check in wrong) else ExitCode.REFUSED


def next_step(findings: Sequence[Finding]) -> str | None:
    """The one step to take first: about the first thing that is wrong, or else about the first warning."""
    for status in (Status.WRONG, Status.WARNING):
        for finding in findings:
            if finding.status is status and finding.next_step is not None:
                return finding.next_step
    return None
