"""Tests of :mod:`pushd.simulator.servereye`."""
