"""The coordinator as a FastAPI application."""
