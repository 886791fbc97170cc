"""Tests of the algorithms as pure folds."""
