"""Validate and build a command before it is stored."""

from collections.abc import Mapping
from typing import Any

from attrs import define

from pushd.lib.strict_json import LargeObject
from pushd.model.catalogue import Defaults
from pushd.model.command import Draft, LargePayload, Payload, SendOptions
from pushd.model.device import dialect_of
from pushd.model.dialect import Dialect
from pushd.model.token import TokenRevision


@define(eq=False)
class Drafts:
    """Checks payloads and send options, and makes drafts of them."""

    dialects: Mapping[str, Dialect]

    def check(
        self, device: str, payload: Payload, given: Mapping[str, Any], *, is_large: bool, unchecked: bool = False
    ) -> tuple[Payload, SendOptions]:
        """Check a payload and the options that are given; pure, so a large payload is checked on a thread.

        Returns the payload to store and send, and all options: those that are not given are the defaults of its
        endpoints. ``unchecked``: also a payload is accepted that a device is certain to reject.

        :raises InvalidFields: naming each field that is wrong.
        """
        dialect = self.dialect(device)
        if is_large:
            payload = LargeObject(payload.values_by_name if type(payload) is LargePayload else payload)
        payload = dialect.check(payload)
        if not unchecked:
            dialect.check_parameters(payload)
        options = _options(given, dialect.catalogue.defaults(dialect.endpoints(payload)))
        return dialect.to_large(payload) if is_large else payload, options

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
        audited_as: str | None = None,
        token: TokenRevision | None = None,
    ) -> Draft:
        """A draft of a payload that was checked."""
        dialect = self.dialect(device)
        return Draft(
            device=device,
            payload=payload,
            endpoints=payload.endpoints if type(payload) is LargePayload else dialect.endpoints(payload),
            terms=options,
            lease=dialect.lease if options.lease is None else options.lease,
            created_by=created_by,
            resend_of=resend_of,
            idempotency_key=idempotency_key,
            fingerprint=fingerprint,
            audited_as=audited_as,
            token=token,
        )

    def dialect(self, device: str) -> Dialect:
        """The dialect of a device, by its id."""
        return self.dialects[dialect_of(device)]


def _options(given: Mapping[str, Any], defaults: Defaults) -> SendOptions:
    options = SendOptions(**{"delivery": defaults.delivery, "ttl": defaults.ttl, **given})
    options.check()
    return options
