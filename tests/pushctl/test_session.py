"""Tests of what all commands share."""

import pytest
from twisted.internet.defer import Deferred

from pushd.pushctl.api import AdminClient
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.server_address import ServerOptions
from pushd.pushctl.session import Session
from tests.pushctl.fake_server import TOKEN, Pushctl


def _session(pushctl: Pushctl) -> Session:
    return Session(options=ServerOptions(token=TOKEN), run=pushctl.run)


def test_result_is_the_exit_code(pushctl: Pushctl) -> None:
    """The program exits with the exit code that its work returns."""

    async def work(client: AdminClient) -> ExitCode:
        return ExitCode.EXPIRED

    with pytest.raises(SystemExit) as ended:
        _session(pushctl).perform(work)
    assert ended.value.code == 5


def test_interrupt_is_no_error(pushctl: Pushctl, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends the program with exit code 130, without a message."""

    async def work(client: AdminClient) -> ExitCode:
        await Deferred()
        return ExitCode.SUCCEEDED

    pushctl.interrupt_after = 1
    with pytest.raises(SystemExit) as ended:
        _session(pushctl).perform(work)
    assert ended.value.code == 130
    assert capsys.readouterr().err == ""


def test_bug_is_raised(pushctl: Pushctl) -> None:
    """An unexpected exception is not reported as an error of the operator."""

    async def work(client: AdminClient) -> ExitCode:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _session(pushctl).perform(work)


def test_repr_has_no_token(pushctl: Pushctl) -> None:
    """The repr of a session does not show the token."""
    assert TOKEN not in repr(_session(pushctl))
