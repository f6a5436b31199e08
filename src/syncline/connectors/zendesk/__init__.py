"""Zendesk: help centers, and tickets."""
