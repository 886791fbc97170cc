"""Tests of the study of sealed clustering."""
