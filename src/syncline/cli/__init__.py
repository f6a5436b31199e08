"""The command line: one file a command, a thin layer above `syncline.client`."""
