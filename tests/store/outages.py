"""Steps of tests about offline devices and alerts."""

from collections.abc import Sequence

from pushd.model.alert import Alert, AlertRules
from pushd.model.device import LastSeen, PresenceState
from pushd.store.interface import IStore
from tests.store.samples import at, device, wall

RULES = AlertRules(window=30.0, together=5, changes=5, within=600.0)
SITE = [f"controlid:10{number}" for number in range(5)]


async def come_online(store: IStore, *names: str, seconds: float = 0) -> None:
    """Devices that are seen."""
    for name in names:
        await store.set_presence(name, PresenceState.ONLINE, at(seconds))


async def go_offline(store: IStore, *names: str, seconds: float = 0, rules: AlertRules = RULES) -> None:
    """Devices that are seen, and offline from the same moment on."""
    await come_online(store, *names, seconds=seconds)
    await store.mark_offline(dict.fromkeys(names), rules, at(seconds))


async def alerts(store: IStore, seconds: float, rules: AlertRules = RULES) -> Sequence[Alert]:
    """The open alerts at this time, after those that are due were raised."""
    await store.raise_alerts(rules, 100, at(seconds))
    found: Sequence[Alert] = await store.alerts(True, None, 100)
    return found


async def add_site(store: IStore, names: Sequence[str], address: str = "198.51.100.7") -> None:
    """Add devices that are behind one address."""
    for name in names:
        await store.add_device(device(name), False, at())
    await store.save_last_seen(
        [LastSeen(device=name, last_seen_at=wall(), last_address=address, poll_gap=None) for name in names]
    )
