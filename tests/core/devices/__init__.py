"""Tests of :mod:`pushd.core.devices`."""
