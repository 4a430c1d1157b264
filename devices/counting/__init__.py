"""Instructions of an inference, counted one by one in an emulated board."""
