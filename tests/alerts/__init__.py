"""
Tests of :mod:`pushd.alerts`.
"""
