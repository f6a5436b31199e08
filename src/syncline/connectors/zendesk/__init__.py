"""Zendesk: help centers."""
