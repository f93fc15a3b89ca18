"""The ids of simulated devices."""

from uuid import UUID

from pushd.simulator.names import controlid_ids, servereye_ids


def test_controlid() -> None:
    """Readers have ids of 16 digits, in a row."""
    ids = controlid_ids(1, 5)
    assert {len(name) for name in ids} == {16}
    assert [int(name) - int(ids[0]) for name in ids] == [0, 1, 2, 3, 4]
    assert all(name.startswith("44") for name in ids)


def test_servereye() -> None:
    """Containers have UUIDs, as they write them."""
    ids = servereye_ids(1, 5)
    assert [str(UUID(name)) for name in ids] == list(ids)
    assert len(set(ids)) == 5


def test_seed() -> None:
    """A seed makes the same ids every time, fewer are the first of more, and another seed makes others."""
    for make in (controlid_ids, servereye_ids):
        assert make(1, 3) == make(1, 10)[:3]
        assert not set(make(1, 10)) & set(make(2, 10))
