"""Tests of :mod:`pushd.lib.url_paths`."""

import pytest

from pushd.lib.url_paths import MAX_PATH, merge_slashes, redacted


@pytest.mark.parametrize(
    ("path", "merged"), [(b"", b""), (b"/", b"/"), (b"//", b"/"), (b"/a///b//", b"/a/b/"), (b"/a/b", b"/a/b")]
)
def test_slashes_are_merged(path: bytes, merged: bytes) -> None:
    """Repeated slashes are one."""
    assert merge_slashes(path) == merged


def test_whatever_is_not_shown_is_not_read() -> None:
    """A segment that is too long to be shown is replaced, and what is beyond the limit is cut."""
    assert redacted(b"/" + b"a.b" * 100 + b"/push") == "/***/push"
    assert redacted(b"/a" * 1000) == "/a" * (MAX_PATH // 2 - 1) + "/…"
