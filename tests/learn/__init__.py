"""Tests of the learn layer."""
