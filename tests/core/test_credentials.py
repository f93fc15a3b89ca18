"""Tests of API tokens, and of how secrets are made and hashed."""

from pushd.core.credentials import digest, make_secret
from pushd.model.token import Role
from tests.core.harness import CoreHarness


def test_a_token_is_found_by_its_secret(harness: CoreHarness) -> None:
    """A client that sends the secret has the token's name and role."""
    tokens = harness.core.tokens
    secret = harness.result(tokens.issue("night shift", Role.OPERATOR))
    found = tokens.find(secret)
    assert found is not None
    assert (found.name, found.role) == ("night shift", Role.OPERATOR)


def test_a_guess_finds_nothing(harness: CoreHarness) -> None:
    """Neither a part of a secret nor its stored hash is accepted."""
    tokens = harness.core.tokens
    secret = harness.result(tokens.issue("admin", Role.ADMIN))
    assert all(tokens.find(guess) is None for guess in ("", secret[:-1], secret + "=", digest(secret).hex(), "\udcff"))


def test_a_new_token_revokes_the_one_of_the_same_name(harness: CoreHarness) -> None:
    """There is one token of each name; other tokens are not affected."""
    tokens = harness.core.tokens
    other = harness.result(tokens.issue("other", Role.VIEWER))
    old = harness.result(tokens.issue("admin", Role.ADMIN))
    new = harness.result(tokens.issue("admin", Role.ADMIN))
    assert tokens.find(old) is None
    assert tokens.find(new) is not None
    assert tokens.find(other) is not None


def test_the_repr_of_a_token_hides_its_secret(harness: CoreHarness) -> None:
    """A token in memory, or in a log, does not reveal its secret."""
    secret = harness.result(harness.core.tokens.issue("admin", Role.ADMIN))
    assert secret not in repr(harness.core.tokens.find(secret))


def test_secrets_are_random_and_fit_into_a_path() -> None:
    """Secrets have 192 bits, and no character that must be quoted in a URL or a header."""
    made = {make_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(secret) == 32 and secret.replace("-", "").replace("_", "").isalnum() for secret in made)
