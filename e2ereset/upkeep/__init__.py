"""What an operator does now and then: rotate secret keys, purge rows, forget an account."""
