"""Connectors against fakes of their APIs, each in a process of its own."""
