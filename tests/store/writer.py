"""A program that puts commands into a store, and confirms each, until it is killed.

``python -m tests.store.writer PATH``
"""

import sys
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from pushd.model.command import Command
from pushd.store.sqlite.store import SqliteStore
from tests.store.clock import new_store
from tests.store.samples import AT_LEAST_ONCE, READER, by_message, device, draft

AT_ONCE = 5
"""Senders that wait at the same time, so that commits are shared."""


def say(word: str, number: int) -> None:
    """Confirm a change to the test."""
    print(word, number, flush=True)  # noqa: T201


async def write(store: SqliteStore) -> None:
    """Put, claim and settle commands for ever."""
    await store.add_device(device(), False)
    for first in count(1, AT_ONCE):
        numbers = range(first, first + AT_ONCE)
        await gatherResults([_put(store, number) for number in numbers])
        await store.claim(READER, None, False, 1)
        await store.settle(READER, by_message(first))
        say("settled", first)


def _put(store: SqliteStore, number: int) -> Deferred[None]:
    def accepted(answer: tuple[Command, bool]) -> None:
        say("put", number)

    priority = 9 if number % AT_ONCE == 1 else 0  # the first of each group goes before what is left of others
    return store.put(draft(delivery=AT_LEAST_ONCE, priority=priority), False, sys.maxsize).addCallback(accepted)


async def main(reactor: Any, path: str) -> None:
    """Open the store as the server does, and write."""
    store = new_store(path, reactor=reactor)
    store.open()
    await write(store)


if __name__ == "__main__":
    react(main, sys.argv[1:])
