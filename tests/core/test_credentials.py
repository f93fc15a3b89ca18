"""Tests of tokens, and of the secrets that they and devices are made of."""

from pushd.core.credentials import digest, make_secret
from pushd.model.token import Role
from tests.core.harness import CoreHarness


def test_a_token_is_found_by_its_secret(harness: CoreHarness) -> None:
    """Whoever shows the secret is who the token says."""
    tokens = harness.core.tokens
    secret = harness.result(tokens.issue("night shift", Role.OPERATOR))
    found = tokens.find(secret)
    assert found is not None
    assert (found.name, found.role) == ("night shift", Role.OPERATOR)


def test_a_guess_finds_nothing(harness: CoreHarness) -> None:
    """Neither a part of a secret, nor what is stored of it, is one."""
    tokens = harness.core.tokens
    secret = harness.result(tokens.issue("admin", Role.ADMIN))
    assert all(tokens.find(guess) is None for guess in ("", secret[:-1], secret + "=", digest(secret).hex(), "\udcff"))


def test_a_new_token_revokes_the_one_of_the_same_name(harness: CoreHarness) -> None:
    """Of one name there is one; others are not concerned."""
    tokens = harness.core.tokens
    other = harness.result(tokens.issue("other", Role.VIEWER))
    old = harness.result(tokens.issue("admin", Role.ADMIN))
    new = harness.result(tokens.issue("admin", Role.ADMIN))
    assert tokens.find(old) is None
    assert tokens.find(new) is not None
    assert tokens.find(other) is not None


def test_a_secret_is_not_shown_by_what_is_kept(harness: CoreHarness) -> None:
    """A token in memory, or in a log, does not give its secret away."""
    secret = harness.result(harness.core.tokens.issue("admin", Role.ADMIN))
    assert secret not in repr(harness.core.tokens.find(secret))


def test_secrets_are_random_and_fit_into_a_path() -> None:
    """They have 192 bits, and no character that a URL or a header would have to quote."""
    made = {make_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(secret) == 32 and secret.replace("-", "").replace("_", "").isalnum() for secret in made)
