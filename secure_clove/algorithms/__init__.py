"""Every system as a list of exchanges."""
