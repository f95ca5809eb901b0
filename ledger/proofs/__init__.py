"""Evidence: Merkle tree, signed checkpoints, tiles, and the verifier that needs no service."""
