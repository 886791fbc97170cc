"""Ratios measured side by side in one run: ``python -m tests.bench`` prints one JSON object."""
