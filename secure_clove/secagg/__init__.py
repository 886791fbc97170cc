"""Secure aggregation, SCA-Full: the protocol as values and pure machines."""
