"""What becomes of values that say something of people, before anything sees them."""
