"""Tests of the helpers without a domain."""
