"""Tests of moves of fleets between databases."""
