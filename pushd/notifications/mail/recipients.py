"""Who gets which alert mails."""

from collections.abc import Sequence

from attrs import frozen

from pushd.model.alert import Alert
from pushd.notifications.known_devices import DeviceLabels, KnownDevices


@frozen(kw_only=True)
class Recipient:
    """An address, and of which devices' alerts: of those with a tag, of those of a site, or of all."""

    address: str
    tag: str | None = None
    site: str | None = None

    def __str__(self) -> str:
        """As it is given."""
        selectors = {"tag": self.tag, "site": self.site}
        return self.address + "".join(f";{name}={value}" for name, value in selectors.items() if value is not None)

    @property
    def gets_all(self) -> bool:
        """Whether all alerts are mailed to it."""
        return self.tag is None and self.site is None

    def gets(self, device: DeviceLabels) -> bool:
        """Whether alerts about a device are mailed to it."""
        return self.gets_all or (self.tag in device.tags if self.site is None else self.site == device.site)


def addresses(recipients: Sequence[Recipient]) -> tuple[str, ...]:
    """The addresses of recipients, each once."""
    return tuple(dict.fromkeys(recipient.address for recipient in recipients))


async def recipients_of(alert: Alert, recipients: Sequence[Recipient], known_devices: KnownDevices) -> tuple[str, ...]:
    """The addresses to which an alert is mailed.

    One that is about no device is mailed to those that get all alerts; one about more devices than it lists, to all.
    """
    if alert.count > len(alert.devices) or all(recipient.gets_all for recipient in recipients):
        return addresses(recipients)
    labels = [await known_devices.labels(device) for device in alert.devices]
    return addresses([recipient for recipient in recipients if recipient.gets_all or any(map(recipient.gets, labels))])
