"""The use cases: what the command line, the API and the service do."""
