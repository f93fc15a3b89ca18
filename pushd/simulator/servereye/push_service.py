"""The calls of the Server-Eye push service, as a client makes them."""

from attrs import frozen

from pushd.simulator.http import AT_ONCE, Line, Reading

SIGN_OFF_PATIENCE = 2.0
"""Seconds that a container waits to be let go; a user who closes a program waits no longer."""


@frozen(kw_only=True)
class PushService:
    """The push service as one container sees it; each call raises :exc:`NoAnswer` unless it is answered with 200."""

    line: Line
    container: str
    api_key: str | None = None
    patience: float = 60.0

    async def poll(self, *, patience: float, reading: Reading = AT_ONCE) -> bytes:
        """Wait for a message."""
        return await self.line.get("push", self.container, query=self._query, patience=patience, reading=reading)

    async def acknowledge(self, message_id: str) -> None:
        """Say that a message is in work."""
        path = ("push", self.container, "ack", message_id)
        await self.line.post(*path, query=self._query, patience=self.patience)

    async def report(self, message_id: str, body: bytes, reading: Reading = AT_ONCE) -> None:
        """Say what became of a message."""
        path = ("push", self.container, "result", message_id)
        await self.line.post(*path, query=self._query, patience=self.patience, body=body, reading=reading)

    async def sign_off(self) -> None:
        """Say that the container goes away on purpose."""
        path = ("push", self.container, "signoff")
        await self.line.get(*path, query=self._query, patience=min(self.patience, SIGN_OFF_PATIENCE))

    @property
    def _query(self) -> dict[str, str]:
        return {} if self.api_key is None else {"apiKey": self.api_key}
