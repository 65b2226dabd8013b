"""What keeps a service from working: one check after another, each bounded in time, none that ends the others."""
