"""What routes are made of: blueprint, bodies, gates, rates, envelope."""
