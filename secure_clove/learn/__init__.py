"""Local training and evaluation with torch."""
