"""What a decision does outside: the exact requests, and the outbox that runs them."""
