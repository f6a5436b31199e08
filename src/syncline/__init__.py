"""Syncline keeps a searchable knowledge base in step with the tools where the content lives."""
