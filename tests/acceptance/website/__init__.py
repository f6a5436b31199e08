"""Whole syncs of web sites."""
