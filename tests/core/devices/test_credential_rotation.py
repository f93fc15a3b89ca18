"""Tests of credential rotation: secrets and keys that are replaced or deleted."""

import pytest
from twisted.internet.task import Clock

from pushd.model.device import ProofKind
from tests.core.harness import CONTAINER, CoreHarness


@pytest.mark.parametrize("kind", list(ProofKind))
def test_an_old_proof_ends_with_its_overlap(harness: CoreHarness, clock: Clock, kind: ProofKind) -> None:
    """The old secret or key is valid beside the new one during the overlap, and no longer."""
    old = harness.issue_credential(CONTAINER, kind)
    new = harness.issue_credential(CONTAINER, kind, overlap=60)
    owner = harness.core.registry.owner
    clock.advance(59.999)
    assert (owner(old, kind), owner(new, kind)) == (CONTAINER, CONTAINER)
    clock.advance(0.001)
    assert (owner(old, kind), owner(new, kind)) == (None, CONTAINER)


@pytest.mark.parametrize("kind", list(ProofKind))
def test_without_an_overlap_the_old_proof_ends_at_once(harness: CoreHarness, kind: ProofKind) -> None:
    """Without an overlap a leaked secret is invalid as soon as it is replaced."""
    old = harness.issue_credential(CONTAINER, kind)
    harness.issue_credential(CONTAINER, kind)
    assert harness.core.registry.owner(old, kind) is None


def test_an_overlap_is_not_prolonged(harness: CoreHarness, clock: Clock) -> None:
    """Replacing a key twice does not extend the overlap of the oldest."""
    oldest = harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    harness.issue_credential(CONTAINER, ProofKind.API_KEY, overlap=10)
    harness.issue_credential(CONTAINER, ProofKind.API_KEY, overlap=1000)
    clock.advance(10)
    assert harness.core.registry.owner(oldest, ProofKind.API_KEY) is None


def test_a_new_proof_of_one_kind_leaves_the_other(harness: CoreHarness) -> None:
    """Secret and key are replaced independently."""
    secret = harness.issue_credential(CONTAINER, ProofKind.SECRET)
    harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    assert harness.core.registry.owner_of_path(secret) == CONTAINER


def test_deleting_a_device_deletes_its_proofs(harness: CoreHarness) -> None:
    """The secret of a deleted device is invalid, even for a new device with the same id."""
    secret, key = (
        harness.issue_credential(CONTAINER, ProofKind.SECRET),
        harness.issue_credential(CONTAINER, ProofKind.API_KEY),
    )
    harness.result(harness.core.registry.delete(CONTAINER))
    harness.register(CONTAINER)
    assert harness.core.registry.owner_of_path(secret) is None
    assert harness.core.registry.owner(key, ProofKind.API_KEY) is None
    assert CONTAINER not in harness.core.registry.required_credentials
