"""Attacks on our own protections, as measurements."""
