"""Control iD readers that a test plays itself, step by step."""

from typing import Any

from attrs import define, field

from tests.integration.calls import Call
from tests.integration.server import Server, until

JSON = {"Content-Type": "application/json"}


@define(eq=False)
class Reader:
    """A reader that is approved."""

    server: Server
    number: int
    name: str = "Lobby reader"
    model: str | None = "iDFace"
    polls: int = field(default=0, init=False)
    _poll: Call | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        facts = {} if self.model is None else {"model": self.model}
        body = {"id": self.id, "name": self.name, "site": "North", "facts": facts}
        assert self.server.admin.ask("POST /v1/devices", body).code == 201

    @property
    def id(self) -> str:
        """Its id."""
        return f"controlid:{self.number}"

    @property
    def path(self) -> str:
        """Its page."""
        return f"/devices/{self.id}"

    def poll(self) -> None:
        """Ask for a command, and wait until the server holds the poll."""
        self.polls += 1
        self._poll = self.server.devices.begin(f"GET /push?deviceId={self.number}&uuid={self.uuid}")
        until(lambda: self.server.holds(self.id), "the poll is held")

    def poll_once(self) -> None:
        """Ask for a command that waits already."""
        self.polls += 1
        assert self.server.devices.ask(f"GET /push?deviceId={self.number}&uuid={self.uuid}").json

    @property
    def uuid(self) -> str:
        """Of the last poll."""
        return f"poll-{self.polls}"

    def take(self) -> dict[str, Any]:
        """The command that answers the poll, or another poll if that one was held for long enough."""
        assert self._poll is not None
        answer = self._poll.answer()
        while not answer.body:
            self.polls += 1
            answer = self.server.devices.ask(f"GET /push?deviceId={self.number}&uuid={self.uuid}")
        found: dict[str, Any] = answer.json
        return found

    def report(self, result: dict[str, Any]) -> None:
        """Report the result of the command that was taken."""
        answer = self.server.devices.ask(f"POST /result?deviceId={self.number}&uuid={self.uuid}", result, **JSON)
        assert answer.code == 200

    def commands(self) -> list[dict[str, Any]]:
        """Its commands, newest first."""
        found: list[dict[str, Any]] = self.server.admin.ask(f"GET /v1/commands?device={self.id}").json["items"]
        return found
