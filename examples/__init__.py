"""Examples that run from the project root."""
