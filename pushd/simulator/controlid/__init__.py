"""A simulated Control iD reader."""
