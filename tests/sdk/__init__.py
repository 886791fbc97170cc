"""Tests of what a data scientist imports."""
