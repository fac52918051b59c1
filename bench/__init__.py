"""Speed and memory of the server beside a no-op and a by-hand twin: `make bench`."""
