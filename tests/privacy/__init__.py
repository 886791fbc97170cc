"""Noise, accounting, calibration, the ledger and its statement."""
