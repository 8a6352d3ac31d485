"""Exchange -> fingerprint: stateless, vectorised, sketches instead of text."""
