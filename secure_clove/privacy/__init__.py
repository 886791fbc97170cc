"""Mechanisms, events, accounting and the client's ledger."""
