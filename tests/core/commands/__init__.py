"""Tests of :mod:`pushd.core.commands`."""
