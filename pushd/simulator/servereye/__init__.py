"""A simulated Server-Eye container."""
