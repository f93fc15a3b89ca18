"""Questions to the operator, in a terminal, while the reactor runs."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click


def ask(question: str, *, instead: str) -> str:
    """Ask for a text.

    :raises click.UsageError: without a terminal; ``instead`` is the option that has the answer then.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"Give {instead}: there is no terminal to ask for it.")
    with _interruptible():
        return str(click.prompt(question, err=True))


def confirm(question: str, *, instead: str) -> None:
    """Ask whether to go on.

    :raises click.Abort: if not.
    :raises click.UsageError: without a terminal; ``instead`` is the option that says yes then.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"Say so with {instead}: there is no terminal to ask.")
    with _interruptible():
        click.confirm(question, abort=True, err=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a question: the reactor, which handles it otherwise, waits for the answer."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
