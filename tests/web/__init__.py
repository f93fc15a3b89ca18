"""
Tests of pushd.
"""
