"""What the CLoVE paper proves, checked on mixed linear regression."""
