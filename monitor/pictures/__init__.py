"""Pictures of alerts, for receivers that show them."""
