"""The container format: what a `.rune` file is made of."""

__version__ = "0.1.0"
"""Version of the project, whose one place this is."""
