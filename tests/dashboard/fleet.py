"""A server with a little of everything that the dashboard shows: devices, commands, alerts, refusals, a webhook."""

from attrs import define

from tests.integration.server import ANY_PORT, Server, until

OPTIONS = (
    f"--devices={ANY_PORT}",
    f"--admin={ANY_PORT}",
    "--alert-window=1",
    "--webhook-allow=127.0.0.0/8",
)

HOSTILE = "<img src=x onerror=alert(1)> \u05e9\u05dc\u05d5\u05dd"
LONG = "A-name-without-a-space-that-goes-on-" * 6


@define(eq=False)
class Fleet:
    """What there is, by what it is an example of."""

    server: Server
    online = "controlid:3206485144263533"
    """Approved; its poll is held."""
    offline = "controlid:3206485144263534"
    pending = "controlid:3206485144263535"
    container = "servereye:lager-3"
    hostile = "servereye:hostile"
    """Its name is markup, its site is long."""
    unknown: str = ""
    """A command that was sent and not answered."""
    succeeded: str = ""
    queued: str = ""
    alert: str = ""
    webhook: str = ""

    def fill(self) -> None:
        """Make all of it."""
        for device, fields in (
            (
                self.online,
                {
                    "name": "Lobby reader",
                    "site": "North",
                    "facts": {"model": "iDFace"},
                    "tags": ["24h"],
                    "heartbeat_timeout": 86400,
                },
            ),
            (self.offline, {"name": "Portão Sul", "site": "Sul", "heartbeat_timeout": 1}),
            (self.container, {"name": "Container Lager 3", "site": "Lager 3"}),
            (self.hostile, {"name": HOSTILE, "site": LONG}),
        ):
            assert self.server.admin.ask("POST /v1/devices", {"id": device, **fields}).code == 201
        self.unknown = self._send_unknown()
        self.succeeded = self._send_succeeded()
        self.queued = self.server.send(self.container, {"control": "REFRESH_AGENT"}, ttl=3600)
        self._refuse()
        self.webhook = self._add_webhook()
        self.alert = until(self._alert, "the alert is raised")

    def poll(self, device: str, uuid: str = "") -> None:
        """Poll once as a Control iD device, and hang up."""
        number = device.partition(":")[2]
        self.server.devices.ask(f"GET /push?deviceId={number}&uuid={uuid}")

    def _send_unknown(self) -> str:
        command = self.server.send(self.online, {"endpoint": "execute_actions", "body": _SEC_BOX}, lease=1)
        self.poll(self.online, "u1")
        until(lambda: self.server.command(command)["state"] == "unknown", "the lease lapses")
        return command

    def _send_succeeded(self) -> str:
        command = self.server.send(self.offline, {"endpoint": "system_information"})
        self.poll(self.offline, "u2")
        number = self.offline.partition(":")[2]
        answer = self.server.devices.ask(
            f"POST /result?deviceId={number}&uuid=u2",
            {"response": {"version": "6.13.1"}},
            **{"Content-Type": "application/json"},
        )
        assert answer.code == 200
        assert self.server.command(command)["state"] == "succeeded"
        return command

    def _refuse(self) -> None:
        """A device that waits for approval, and a path that is not served."""
        self.server.devices.begin(f"GET /push?deviceId={self.pending.partition(':')[2]}").hang_up()
        until(lambda: self.server.admin.ask(f"GET /v1/devices/{self.pending}").code == 200, "it is recorded")
        assert self.server.devices.ask("GET /controlid/push?deviceId=7").code == 404

    def _add_webhook(self) -> str:
        made = self.server.admin.ask("POST /v1/webhooks", {"url": "http://127.0.0.1:9/hook"})
        assert made.code == 201, made.body
        return str(made.json["id"])

    def _alert(self) -> str:
        found = self.server.admin.ask("GET /v1/alerts?open=1&kind=offline").json["items"]
        return str(found[0]["id"]) if found else ""


_SEC_BOX = {"actions": [{"action": "sec_box", "parameters": "id=65793,reason=3"}]}
