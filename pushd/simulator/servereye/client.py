"""The requests of a Server-Eye container."""

from attrs import frozen

from pushd.simulator.http import NO_READ_FAULTS, DeviceClient, ReadFaults

SIGN_OFF_TIMEOUT = 2.0
"""Seconds that a container waits for the response to its sign-off; a user who closes a program waits no longer."""


@frozen(kw_only=True)
class ServerEyeClient:
    """The push service for one container; each request raises :exc:`RequestFailed` unless it is answered with 200."""

    http: DeviceClient
    container: str
    api_key: str | None = None
    timeout: float = 60.0

    async def poll(self, *, timeout: float, faults: ReadFaults = NO_READ_FAULTS) -> bytes:
        """Wait for a message."""
        return await self.http.get("push", self.container, query=self._query, timeout=timeout, faults=faults)

    async def acknowledge(self, message_id: str) -> None:
        """Acknowledge that a message is being processed."""
        await self.http.post("push", self.container, "ack", message_id, query=self._query, timeout=self.timeout)

    async def report(self, message_id: str, body: bytes, faults: ReadFaults = NO_READ_FAULTS) -> None:
        """Report the result of a message."""
        path = ("push", self.container, "result", message_id)
        await self.http.post(*path, query=self._query, timeout=self.timeout, body=body, faults=faults)

    async def sign_off(self) -> None:
        """Announce that the container goes offline on purpose."""
        timeout = min(self.timeout, SIGN_OFF_TIMEOUT)
        await self.http.get("push", self.container, "signoff", query=self._query, timeout=timeout)

    @property
    def _query(self) -> dict[str, str]:
        return {} if self.api_key is None else {"apiKey": self.api_key}
