"""Vectors, partitions and matchings."""
