"""Tests of :mod:`pushd.metrics`."""
