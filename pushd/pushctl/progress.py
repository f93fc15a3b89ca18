"""Progress on stderr, while a terminal shows it: it is gone when the work is done."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pushd.pushctl.connection import Json
from pushd.pushctl.output import field_text


def _bar(*columns: ProgressColumn, visible: bool) -> Progress:
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not visible)


@contextmanager
def command_progress(*, visible: bool) -> Iterator[Callable[[Json], None]]:
    """Gives a function that shows the state of a command while it is waited for."""
    description = TextColumn("{task.description}", markup=False)
    with _bar(SpinnerColumn(), description, TimeElapsedColumn(), visible=visible) as bar:
        task = bar.add_task("waiting", total=None)
        yield lambda command: bar.update(
            task, description=f"{field_text(command['id'])} {field_text(command['state'])}"
        )


@contextmanager
def counting_progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Gives a function that moves a bar by one of ``total``."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _bar(*columns, visible=sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


@contextmanager
def row_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Gives a function that shows what is being done, and how many of how many rows are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _bar(*columns, visible=sys.stderr.isatty()) as bar:
        task = bar.add_task("opening", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


@contextmanager
def reading_progress() -> Iterator[Callable[[int], None]]:
    """Gives a function that shows how many items were read, from its first call on."""
    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} read"), TimeElapsedColumn())
    bar = _bar(*columns, visible=sys.stderr.isatty())
    task = bar.add_task("reading", total=None)

    def show(count: int) -> None:
        bar.start()
        bar.update(task, completed=count)

    try:
        yield show
    finally:
        bar.stop()
