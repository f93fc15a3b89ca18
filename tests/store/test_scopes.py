"""Tests of what the store lists for tokens with a scope, against the rule in the model."""

from collections.abc import Iterator
from itertools import product

import pytest

from pushd.model.device import Device
from pushd.model.token import Scope
from pushd.store.filters import DeviceFilter
from pushd.store.interface import IStore
from tests.store.samples import device

DEVICES = [
    device(f"controlid:{20 + number}", site=site, tags=tags)
    for number, (site, tags) in enumerate(product((None, "", "Yard", "yard"), ((), ("a",), ("b", "a"), ("ab",))))
]

SELECTED: dict[str, list[frozenset[str] | None]] = {
    "devices": [None, frozenset(), frozenset({DEVICES[9].id}), frozenset({each.id for each in DEVICES[::3]})],
    "sites": [None, frozenset(), frozenset({"Yard"}), frozenset({"", "yard", 'x"]'})],
    "tags": [None, frozenset(), frozenset({"a"}), frozenset({"a", "b"})],
}


def scopes() -> Iterator[Scope]:
    """All combinations of selectors."""
    for devices, sites, tags in product(*SELECTED.values()):
        yield Scope(devices=devices, sites=sites, tags=tags)


def in_scope(scope: Scope) -> list[Device]:
    """What a scope covers."""
    return [each for each in DEVICES if scope.covers(each.id, each.site, each.tags)]


async def test_the_store_agrees_with_the_rule(store: IStore) -> None:
    """Of all devices, lists and sites have those that the scope covers."""
    for each in DEVICES:
        await store.add_device(each, False)
    for scope in scopes():
        listed = [found.id for found, _ in await store.devices(DeviceFilter(scope=scope, q="controlid:"), None, 500)]
        expected = in_scope(scope)
        assert [name for name in listed if name in {each.id for each in DEVICES}] == [each.id for each in expected]
        sites = await store.sites(DeviceFilter(scope=scope))
        counted = {each.site: each.devices for each in sites}
        assert counted == {
            site: sum(each.site == site for each in expected) for site in {each.site for each in expected} - {None}
        }


@pytest.mark.parametrize("name", ["devices", "sites", "tags"])
def test_an_empty_selector_selects_nothing(name: str) -> None:
    """A selector that is empty covers no device, whatever the others say."""
    assert in_scope(Scope(**{name: frozenset()})) == []
