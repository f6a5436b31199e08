"""What authors of connectors test them with. See `connector_suite`."""
