"""The conformance suite, run against each connector."""
