"""Tests of `syncline.core`."""
