"""Read models: each can be dropped and rebuilt. A projection never reads another."""
