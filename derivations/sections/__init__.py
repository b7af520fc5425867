"""What is judged: one module per section of the claims."""
