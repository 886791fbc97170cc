"""The engine of studies: its rounds, its workers and its files."""
