"""Work that is queued in the transaction of what it follows from, and done after the answer."""
