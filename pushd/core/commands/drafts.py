"""Validate and build a command before it is stored."""

from collections.abc import Mapping

from attrs import define

from pushd.lib.strict_json import LargeObject
from pushd.model.command import Draft, LargePayload, Payload, SendOptions
from pushd.model.device import dialect_of
from pushd.model.dialect import Dialect
from pushd.model.uuid7 import IdSource


@define(eq=False)
class Drafts:
    """Checks payloads and send options, and makes drafts of them."""

    ids: IdSource
    dialects: Mapping[str, Dialect]

    def check(self, device: str, payload: Payload, options: SendOptions, *, is_large: bool) -> Payload:
        """Check a payload and its options; pure, so it may run on any thread, and does if the payload is large.

        Returns the payload to store and send.

        :raises InvalidFields: naming each field that is wrong.
        """
        options.check()
        dialect = self.dialect(device)
        if not is_large:
            return dialect.check(payload)
        values = payload.values_by_name if isinstance(payload, LargePayload) else payload
        return dialect.to_large(dialect.check(LargeObject(values)))

    def make(
        self,
        device: str,
        payload: Payload,
        options: SendOptions,
        created_by: str,
        *,
        resend_of: str | None = None,
        idempotency_key: str | None = None,
        fingerprint: bytes | None = None,
    ) -> Draft:
        """A draft of a payload that was checked."""
        return Draft(
            id=self.ids.make(),
            device=device,
            payload=payload,
            terms=options,
            lease=self.dialect(device).lease if options.lease is None else options.lease,
            created_by=created_by,
            resend_of=resend_of,
            idempotency_key=idempotency_key,
            fingerprint=fingerprint,
        )

    def dialect(self, device: str) -> Dialect:
        """The dialect of a device, by its id."""
        return self.dialects[dialect_of(device)]
