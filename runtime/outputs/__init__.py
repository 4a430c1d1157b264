"""Where the values of a pipeline's OUT stages go."""
