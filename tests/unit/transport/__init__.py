"""Tests of `syncline.transport`."""
