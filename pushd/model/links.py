"""Links from mails and messages to the pages of this server."""

from urllib.parse import quote

from attrs import frozen


@frozen
class Links:
    """Links below the URL at which operators reach the server; none if it is not known."""

    base_url: str | None = None

    def device(self, device: str) -> str | None:
        """The page of a device."""
        return self._to("devices", device)

    def alert(self, alert: str) -> str | None:
        """The page of an alert, by its public id."""
        return self._to("alerts", alert)

    def log_in(self, invitation: str) -> str | None:
        """Where a person logs in with the secret of an invitation: in the fragment, which no server sees or logs."""
        return None if self.base_url is None else f"{self.base_url}/login#invite={invitation}"

    def _to(self, kind: str, name: str) -> str | None:
        return None if self.base_url is None else f"{self.base_url}/{kind}/{quote(name, safe=':~')}"


NO_LINKS = Links()
