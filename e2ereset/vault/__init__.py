"""The accounts' E2E key pairs: stores, returns and replaces them."""
