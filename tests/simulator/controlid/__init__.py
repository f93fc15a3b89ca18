"""Tests of :mod:`pushd.simulator.controlid`."""
