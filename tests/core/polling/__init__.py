"""Tests of :mod:`pushd.core.polling`."""
