"""Apps of one file each, of other kinds than `examples/host_app`, that embed e2ereset."""
