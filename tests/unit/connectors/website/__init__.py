"""Tests of `syncline.connectors.website`."""
