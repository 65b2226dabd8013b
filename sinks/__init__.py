"""Where results and notifications go: stores and receivers."""
