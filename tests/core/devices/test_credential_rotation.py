"""Tests of proofs that are replaced, and of those that are taken away."""

import pytest
from twisted.internet.task import Clock

from pushd.model.device import ProofKind
from tests.core.harness import CONTAINER, CoreHarness


@pytest.mark.parametrize("kind", list(ProofKind))
def test_an_old_proof_ends_with_its_overlap(harness: CoreHarness, clock: Clock, kind: ProofKind) -> None:
    """The old secret or key is good beside the new one for as long as was asked for, and no longer."""
    old = harness.issue_credential(CONTAINER, kind)
    new = harness.issue_credential(CONTAINER, kind, overlap=60)
    owner = harness.core.registry.owner
    clock.advance(59.999)
    assert (owner(old, kind), owner(new, kind)) == (CONTAINER, CONTAINER)
    clock.advance(0.001)
    assert (owner(old, kind), owner(new, kind)) == (None, CONTAINER)


@pytest.mark.parametrize("kind", list(ProofKind))
def test_without_an_overlap_the_old_proof_ends_at_once(harness: CoreHarness, kind: ProofKind) -> None:
    """A secret that leaked is worth nothing once it is replaced."""
    old = harness.issue_credential(CONTAINER, kind)
    harness.issue_credential(CONTAINER, kind)
    assert harness.core.registry.owner(old, kind) is None


def test_an_overlap_is_not_prolonged(harness: CoreHarness, clock: Clock) -> None:
    """Replacing twice does not keep the oldest alive for longer than was said."""
    oldest = harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    harness.issue_credential(CONTAINER, ProofKind.API_KEY, overlap=10)
    harness.issue_credential(CONTAINER, ProofKind.API_KEY, overlap=1000)
    clock.advance(10)
    assert harness.core.registry.owner(oldest, ProofKind.API_KEY) is None


def test_a_new_proof_of_one_kind_leaves_the_other(harness: CoreHarness) -> None:
    """Key and secret are replaced each by itself."""
    secret = harness.issue_credential(CONTAINER, ProofKind.SECRET)
    harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    assert harness.core.registry.owner_of_path(secret) == CONTAINER


def test_a_forgotten_device_takes_its_proofs_along(harness: CoreHarness) -> None:
    """A secret of a device that was deleted opens nothing, not even for a new one with the same id."""
    secret, key = (
        harness.issue_credential(CONTAINER, ProofKind.SECRET),
        harness.issue_credential(CONTAINER, ProofKind.API_KEY),
    )
    harness.result(harness.core.registry.delete(CONTAINER))
    harness.register(CONTAINER)
    assert harness.core.registry.owner_of_path(secret) is None
    assert harness.core.registry.owner(key, ProofKind.API_KEY) is None
    assert harness.core.registry.required_credentials(CONTAINER) == frozenset()
