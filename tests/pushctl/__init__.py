"""Tests of pushctl."""
