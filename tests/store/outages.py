"""Steps of tests about offline devices and alerts."""

from collections.abc import Sequence

from pushd.core.devices.offline_detector import MARKED_TOGETHER
from pushd.model.alert import Alert, AlertRules
from pushd.model.device import LastSeen, PresenceState
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.samples import OPEN_ALERTS, at, device, wall

RULES = AlertRules(window=30.0, together=5, changes=5, within=600.0)
SITE = [f"controlid:10{number}" for number in range(5)]


async def come_online(store: IStore, *names: str, seconds: float = 0) -> None:
    """Devices that are seen."""
    for name in names:
        await when(store, at(seconds)).set_presence(name, PresenceState.ONLINE)


async def go_offline(store: IStore, *names: str, seconds: float = 0, rules: AlertRules = RULES) -> None:
    """Devices that are seen, and offline from the same moment on."""
    await come_online(store, *names, seconds=seconds)
    for start in range(0, len(names), MARKED_TOGETHER):  # PostgreSQL 17 ends transactions that take long
        together = names[start : start + MARKED_TOGETHER]
        await when(store, at(seconds)).mark_offline(dict.fromkeys(together), rules)


async def alerts(store: IStore, seconds: float, rules: AlertRules = RULES) -> Sequence[Alert]:
    """The open alerts at this time, after those that are due were raised."""
    await when(store, at(seconds)).raise_alerts(rules, 100)
    found: Sequence[Alert] = await store.alerts(OPEN_ALERTS, None, 100)
    return found


async def add_site(store: IStore, names: Sequence[str], address: str = "198.51.100.7") -> None:
    """Add devices that are behind one address."""
    for name in names:
        await store.add_device(device(name), False)
    await store.save_last_seen(
        [LastSeen(device=name, last_seen_at=wall(), last_address=address, poll_gap=None) for name in names]
    )
