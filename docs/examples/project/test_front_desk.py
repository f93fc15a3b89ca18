"""Tests of the front desk, with a real server and simulated readers."""

from front_desk import let_in, register

from pushd.testing import Fault, PushdServer, Simulate, SimulatedDevice


def test_guest_enters(pushd_server: PushdServer, pushd_reader: SimulatedDevice) -> None:
    """The door opens for a guest, once."""
    assert let_in(pushd_server.client, pushd_reader.id, "Ada") == "Welcome, Ada."
    assert pushd_reader.openings == 1


def test_lost_receipt(pushd_server: PushdServer, pushd_reader: SimulatedDevice) -> None:
    """A reader that reports twice does not open twice."""
    pushd_reader.misbehave(Fault.REPEAT_RESULT)
    assert let_in(pushd_server.client, pushd_reader.id, "Ada") == "Welcome, Ada."
    assert pushd_reader.openings == 1


def test_door_that_stays_closed(pushd_server: PushdServer, simulate_device: Simulate) -> None:
    """A reader that was registered as another model refuses to open."""
    reader = simulate_device(model="iDFlex", facts={"model": "iDAccess"})
    assert "stays closed" in let_in(pushd_server.client, reader.id, "Ada")


def test_blocked_reader(pushd_server: PushdServer, pushd_reader: SimulatedDevice) -> None:
    """A reader that was stolen, and blocked, opens nothing."""
    pushd_server.client.change(pushd_reader.id, admission="blocked")
    assert "ask at the desk" in let_in(pushd_server.client, pushd_reader.id, "Ada")
    assert pushd_reader.openings == 0


def test_registration(pushd_server: PushdServer, pushd_reader: SimulatedDevice) -> None:
    """A guest is registered only if the reader says so."""
    assert register(pushd_server.client, pushd_reader.id, "Ada")
    assert pushd_reader.received[0]["body"]["values"] == [{"name": "Ada", "registration": "Ada"}]
    pushd_reader.misbehave(Fault.LOSE_RESULT)
    assert not register(pushd_server.client, pushd_reader.id, "Bob")
