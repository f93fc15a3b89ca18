"""Checks of the source files, and of the distributions that are built from them."""
