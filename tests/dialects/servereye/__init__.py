"""Tests of the Server-Eye dialect."""
