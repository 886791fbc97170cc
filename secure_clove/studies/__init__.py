"""Runs that answer a question, with their plots and reports."""
