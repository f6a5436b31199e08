"""Intercom: help center articles, internal articles, conversations."""
