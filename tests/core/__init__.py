"""Tests of :mod:`pushd.core`."""
