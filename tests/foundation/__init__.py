"""Tests of what every layer stands on."""
