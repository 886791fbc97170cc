"""What sealing costs: CLoVE in the clear and sealed, side by side at the same noise."""
