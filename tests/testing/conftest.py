"""The fixtures of the plugin, as a project of an integrator has them."""

from pushd.testing import pushd_container as pushd_container
from pushd.testing import pushd_options as pushd_options
from pushd.testing import pushd_reader as pushd_reader
from pushd.testing import pushd_server as pushd_server
from pushd.testing import pushd_simulator as pushd_simulator
from pushd.testing import simulate_device as simulate_device
