"""Dialects: one package for each device protocol; they do not import each other."""
