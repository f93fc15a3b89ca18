"""Planted bugs: a node with one defect in what it shares with others, to show that the harness finds it.

``python -m tests.cluster.planted_bugs BUG <arguments of twistd>``.
"""

from collections.abc import Callable, Iterable, Mapping

from attrs import evolve

from pushd.core.devices.presence import Presence
from pushd.store.membership import TakenOver
from pushd.store.operations import Operations
from pushd.store.postgres.store import PostgresStore
from tests.crash.planted_bugs import BUGS as BUGS_OF_ONE_SERVER
from tests.harness.planting import run_with_bug


def _take_over_without_timeout() -> None:
    """Give the devices of a dead node no time to report elsewhere."""
    take_over = Presence.take_over

    def take_over_expired(self: Presence, devices: Iterable[TakenOver]) -> None:
        take_over(self, [evolve(taken, heartbeat_timeout=0.0) for taken in devices])

    Presence.take_over = take_over_expired  # type: ignore[method-assign]


def _deliver_webhooks_of_others() -> None:
    """Deliver all webhooks, as the only process of a database does."""
    PostgresStore.own_webhooks = Operations.own_webhooks  # type: ignore[method-assign]


BUGS: Mapping[str, Callable[[], None]] = {
    "late-claim-sent": BUGS_OF_ONE_SERVER["late-claim-sent"],
    "taken-over-without-timeout": _take_over_without_timeout,
    "webhooks-delivered-unowned": _deliver_webhooks_of_others,
}


if __name__ == "__main__":
    run_with_bug(BUGS)
