"""Tests of the trade-off study."""
