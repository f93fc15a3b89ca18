"""Tests of a database that is damaged, full or not writable."""
