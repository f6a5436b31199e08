"""Tests of `syncline.sync`."""
