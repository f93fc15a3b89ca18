"""Tests of how secrets are made and hashed."""

import re
from zlib import crc32

from pushd.core.credentials import digest, make_secret, make_token_secret


def test_secrets_are_random_and_fit_into_a_path() -> None:
    """Secrets have 192 bits, and no character that must be quoted in a URL or a header."""
    made = {make_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(secret) == 32 and secret.replace("-", "").replace("_", "").isalnum() for secret in made)


def test_secrets_of_tokens_can_be_found_by_scanners() -> None:
    """The secret of a token has a prefix, and ends with the checksum of its random part, so that few texts match."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    made = {make_token_secret() for _ in range(100)}
    assert len(made) == 100
    for secret in made:
        match = re.fullmatch("pushd_([0-9A-Za-z]{33})([0-9A-Za-z]{6})", secret)
        assert match is not None
        checksum = 0
        for character in match[2]:
            checksum = checksum * 62 + digits.index(character)
        assert checksum == crc32(match[1].encode())


def test_any_text_has_a_digest() -> None:
    """What a client sends may be no UTF-8."""
    assert digest("\udcff") != digest("")
