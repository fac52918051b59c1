"""Second factors: the gate before an action, what it costs to try, and how factors are enrolled."""
