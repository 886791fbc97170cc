"""Secure aggregation: exact sums or clean aborts, and every pitfall refused."""
