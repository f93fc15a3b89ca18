"""Tests of dialects."""

from pushd.model.catalogue import Catalogue
from pushd.model.dialect import Dialect
from tests.store.samples import large_payload


def dialect(name: str) -> Dialect:
    """A dialect with only the required fields."""
    return Dialect(
        name=name,
        lease=30,
        hold=45,
        heartbeat=120,
        one_at_a_time=False,
        keys=True,
        canonical=str,
        check=lambda payload: payload,
        payload_schema={},
        result_schema={},
        catalogue=Catalogue(),
        endpoints=lambda payload: str(payload["endpoint"]),
        check_parameters=lambda _payload: None,
        to_large=large_payload,
    )


def test_a_device_id_has_the_name_of_the_dialect() -> None:
    """The same local id in two dialects gives two device ids."""
    assert dialect("controlid").device("7") == "controlid:7"
    assert dialect("servereye").device("7") == "servereye:7"


def test_commands_are_not_batchable_by_default() -> None:
    """A dialect that does not mention batches has none."""
    assert not dialect("servereye").batchable({"control": "REFRESH_AGENT"})
