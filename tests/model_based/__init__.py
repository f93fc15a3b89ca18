"""Proofs: tests that try to show that the promises of delivery do not hold."""
