"""What a data scientist imports: simulate(), FederatedClient, configuration and results."""
