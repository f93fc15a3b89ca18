"""Tests of :mod:`pushd.core.events`."""
