"""Second factors: the check before an action, the budgets of tries, and the enrolment."""
