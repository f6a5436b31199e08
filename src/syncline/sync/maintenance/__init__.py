"""Upkeep: each service here has one function, `run_once`, whose effort is bounded."""
