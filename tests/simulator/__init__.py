"""Tests of :mod:`pushd.simulator`."""
