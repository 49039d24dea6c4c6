"""Keep vectors and what is known of each photo."""
