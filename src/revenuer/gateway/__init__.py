"""The request path: admit, forward, stream back, record."""
