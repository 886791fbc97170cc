"""Clustered, personalized federated learning that keeps secrets."""
