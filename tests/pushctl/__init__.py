"""Tests of pushd."""
