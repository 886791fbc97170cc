"""What privacy costs: clusters found and accuracy kept, against epsilon."""
