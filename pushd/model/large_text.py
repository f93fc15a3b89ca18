"""Large JSON texts: they are kept apart from the commands that they belong to, and are not moved on the reactor."""

from hashlib import sha256
from typing import Self

from attrs import define, field

from pushd.lib.strict_json import LARGE
from pushd.model.errors import Unavailable

REFERENCE = "large:"
"""Begins what stands for a large text in the row of its command; no JSON text begins so."""


@define(eq=False)
class LargeText:
    """A large JSON text in UTF-8; one that is stored has to be loaded first."""

    reference: str
    """Begins with :data:`REFERENCE`; equal for equal texts."""
    _data: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """A text that is not stored yet; this takes long."""
        return cls(f"{REFERENCE}{sha256(data).hexdigest()}", data)

    @property
    def data(self) -> bytes:
        """The text.

        :raises Unavailable: if it is missing in the database.
        """
        if self._data is None:
            raise Unavailable("A large text in the database is missing.")
        return self._data

    def load(self, data: bytes | None) -> None:
        """Set the text that was read; None if it is missing."""
        self._data = data


Text = str | LargeText
"""A JSON text of any size."""


def to_text(text: str) -> Text:
    """A text as it is kept; one that is large takes long."""
    return text if len(text) <= LARGE else LargeText.of(text.encode())


def from_column(text: str | None) -> Text | None:
    """The text for what the row of a command has of it; a large one has to be loaded."""
    return LargeText(text) if text is not None and text.startswith(REFERENCE) else text


def to_column(text: Text | None) -> str | None:
    """What the row of a command has of a text: a reference, if it is large."""
    return text.reference if isinstance(text, LargeText) else text
