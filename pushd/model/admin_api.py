"""What the admin API and its clients, ``pushd.client`` and ``pushctl``, agree on beside the values."""

from http import HTTPStatus

MAX_PAGE = 500
"""Items of a page at most."""

MAX_WAIT = 60.0
"""Seconds that one request may wait for a command or an event at most."""

START = "0"
"""As ``after``: before all events, or entries of the audit log, that are kept."""

NOW = "now"
"""As ``after``: only events that are yet to come."""

PROBLEM_TYPE = "application/problem+json"
"""The content type of errors (RFC 9457)."""

FAILED_PROXY = (502, 503, 504)
"""Statuses with which a reverse proxy answers, without problem details, when it cannot reach the server."""


_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def not_from_pushd(url: str, status: int) -> str:
    """What errors say about a response that pushd does not send, such as an HTML page; they do not show its body."""
    answered = f"{status} {_PHRASES.get(status, '')}".rstrip()
    return f"{url} answered {answered}; the response is not from pushd, but for example from a proxy in between"


def decimal(seconds: float) -> str:
    """A duration as a query has it: without an exponent."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def flags(**flags: bool) -> list[tuple[str, str]]:
    """The parameters of a query for what is true."""
    return [(name, "1") for name, is_set in flags.items() if is_set]
