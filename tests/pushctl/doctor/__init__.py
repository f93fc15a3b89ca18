"""Tests of :mod:`pushd.pushctl.doctor`."""
