"""Simulated devices of both dialects: a program of its own, against any server that speaks these dialects."""
