"""Tests of the commands of pushctl."""
