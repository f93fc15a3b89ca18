"""Tests of how the proxy in front of PostgreSQL reads what clients send."""

from tests.harness.commit_proxy import Requests


def message(kind: bytes, *parts: bytes) -> bytes:
    """A message of a client; one without a kind is the first."""
    body = b"\0".join(parts)
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def test_statements_that_are_executed() -> None:
    """A statement is known by its name, which may be used again; it counts when it is executed, not when prepared."""
    sent = (
        message(b"", b"\0\x03\0", b"user", b"postgres", b"", b"")
        + message(b"P", b"s1", b"INSERT INTO attempt VALUES ($1)", b"")
        + message(b"P", b"s2", b"COMMIT", b"")
        + message(b"B", b"", b"s1", b"controlid:1")
        + message(b"S")
        + message(b"B", b"", b"s2", b"")
        + message(b"B", b"", b"s2", b"")
    )
    expected = [(b"INSERT INTO attempt VALUES ($1)", b"controlid:1"), (b"COMMIT", b""), (b"COMMIT", b"")]
    assert list(Requests().feed(sent)) == expected
    in_pieces = Requests()
    assert [found for byte in sent for found in in_pieces.feed(bytes([byte]))] == expected
