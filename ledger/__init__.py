"""The truth: events, rules and the store; knows no HTTP and no projection."""
