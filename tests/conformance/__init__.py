"""Evidence that the code is the protocol: known answers, vectors, exploration and attacks."""
