"""Syncline beside what its users would pick instead."""
