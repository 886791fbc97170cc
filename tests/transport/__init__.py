"""Tests of how messages travel."""
