"""How events come in: the webhook receiver and the list older producers push to."""
