"""Tests: one claim each, named as a sentence."""
