"""The soak: two hosts, one database, mixed traffic and outages; then the databases are checked."""
