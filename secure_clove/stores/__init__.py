"""Where state and bytes are kept."""
