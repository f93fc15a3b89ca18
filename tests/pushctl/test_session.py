"""Tests of what every command does around its own work."""

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from pushd.pushctl.api import AdminClient
from pushd.pushctl.exit_codes import Outcome
from pushd.pushctl.session import Session
from tests.pushctl.recorded import TOKEN, Desk


def _session(desk: Desk, tmp_path: Path) -> Session:
    return Session(url="http://127.0.0.1:8081", token=TOKEN, data_dir=tmp_path, run=desk.run)


def test_outcome_is_the_exit_code(desk: Desk, tmp_path: Path) -> None:
    """The program ends with the outcome of its work."""

    async def work(client: AdminClient) -> Outcome:
        return Outcome.EXPIRED

    with pytest.raises(SystemExit) as ended:
        _session(desk, tmp_path).perform(work)
    assert ended.value.code == 5


def test_interrupt_is_no_error(desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends the program as it ends others, without a complaint."""

    async def work(client: AdminClient) -> Outcome:
        await Deferred()
        return Outcome.SUCCEEDED

    desk.interrupt_after = 1
    with pytest.raises(SystemExit) as ended:
        _session(desk, tmp_path).perform(work)
    assert ended.value.code == 130
    assert capsys.readouterr().err == ""


def test_bug_is_not_dressed_up(desk: Desk, tmp_path: Path) -> None:
    """An error of our own is not shown as if it were the operator's."""

    async def work(client: AdminClient) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _session(desk, tmp_path).perform(work)


def test_token_does_not_show(desk: Desk, tmp_path: Path) -> None:
    """A session can be printed without giving its token away."""
    assert TOKEN not in repr(_session(desk, tmp_path))
