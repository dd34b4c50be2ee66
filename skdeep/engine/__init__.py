"""The engine: networks as programs, and what runs them."""
