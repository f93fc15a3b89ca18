"""Checks of the project's own files, and of what is built from them."""
