"""
Tests of the dialects.
"""
