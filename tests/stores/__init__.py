"""Tests of where state and bytes are kept."""
