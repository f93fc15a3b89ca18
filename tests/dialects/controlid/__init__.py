"""Tests of the Control iD dialect."""
