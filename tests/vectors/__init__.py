"""Test vectors of protocol sca/1, and what writes them: ``python -m tests.vectors``."""
