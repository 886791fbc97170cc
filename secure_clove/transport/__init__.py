"""How messages travel: in this process, or over HTTP."""
