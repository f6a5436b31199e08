"""Connectors, their registry and their options."""
