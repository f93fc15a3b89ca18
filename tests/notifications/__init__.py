"""Tests of :mod:`pushd.notifications`."""
