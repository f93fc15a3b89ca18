"""The addresses that simulated devices connect from."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis.strategies import integers

from pushd.simulator import sites


def test_address() -> None:
    """Each site has an address of its own, and none is the one that everybody else on this machine has."""
    assert [sites.address(site) for site in (1, 2, 254, 255)] == ["127.0.0.2", "127.0.0.3", "127.0.0.255", "127.0.1.0"]


@given(integers(1, 300).flatmap(lambda devices: integers(1, devices).map(lambda count: (devices, count))))
def test_division(sizes: tuple[int, int]) -> None:
    """Devices in a row share a site, every site has some, and no site has two more than another."""
    devices, count = sizes
    found = [sites.of(place, devices, count) for place in range(1, devices + 1)]
    assert found == sorted(found)
    assert set(found) == set(range(1, count + 1))
    sizes_found = Counter(found).values()
    assert max(sizes_found) - min(sizes_found) <= 1


@pytest.mark.parametrize(
    ("host", "near"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("10.0.0.1", False), ("localhost", False), ("", False)],
)
def test_near(host: str, near: bool) -> None:
    """Only a server on this machine, given by number, can be reached from the addresses of sites."""
    assert sites.is_near(host) is near
