"""The standalone server: a host like any other, on the library's public names."""
