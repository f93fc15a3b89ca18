"""Tests of :mod:`pushd.client`, most of them against a server process."""
