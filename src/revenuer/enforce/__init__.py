"""Verdicts -> reversible measures that the request path carries out."""
