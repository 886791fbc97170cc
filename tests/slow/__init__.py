"""Minutes rather than seconds: run by ``make slow``."""
