"""Read models: each can be dropped and rebuilt from the events."""
