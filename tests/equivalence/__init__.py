"""The same federation in one process, over HTTP, and through a crash: bit for bit the same."""
