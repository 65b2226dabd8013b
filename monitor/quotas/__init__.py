"""What namespaces may have, and what they have of it."""
