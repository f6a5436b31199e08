"""Fake sources, for the tests of those who build on Syncline, too."""
