"""Tests of pushd as it runs: real processes, real sockets, real files."""
