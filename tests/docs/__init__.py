"""The docs are true: their blocks run, their tables are current, their links lead somewhere."""
