"""Tests of :mod:`pushd.testing`, the pytest plugin for integrators."""
