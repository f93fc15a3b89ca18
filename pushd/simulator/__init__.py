"""Simulated devices of both dialects: a program of its own, against this or any other server that speaks them."""
