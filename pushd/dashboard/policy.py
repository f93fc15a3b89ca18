"""What a browser lets the dashboard do: load its own files, call its own server, and nothing else."""

from base64 import b64encode
from hashlib import sha256

from pushd.http.request import Request

WORKER_POLICY = "pushd-worker"
"""The one Trusted Types policy: it makes the URL of the worker that reads the event stream."""


def security_headers(inline_script: str) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of every response; ``inline_script`` is the one script that the page itself contains."""
    digest = b64encode(sha256(inline_script.encode()).digest()).decode("ascii")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'sha256-{digest}'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            f"trusted-types {WORKER_POLICY}",
        )
    )
    return (
        (b"Content-Security-Policy", policy.encode("ascii")),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Referrer-Policy", b"no-referrer"),
    )


OPENER_POLICY = (b"Cross-Origin-Opener-Policy", b"same-origin")
"""No other site keeps a handle on the window. Of no effect on a page over plain HTTP, but on localhost: there browsers
complain about it, and send no ``Sec-Fetch-Mode``.
"""


def honours_opener_policy(request: Request) -> bool:
    """Whether the browser that sent a request keeps to :data:`OPENER_POLICY`."""
    return request.getHeader(b"Sec-Fetch-Mode") is not None
