"""From answers to a decision: pure functions of what the reviewers said and of the policy."""
