"""Ids, named arrays, randomness and canonical bytes: what every layer stands on."""
