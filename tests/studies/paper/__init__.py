"""The paper's tables: the table that plays them, its files, and the figures beside them."""
