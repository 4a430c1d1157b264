"""Proc blocks, a file each."""
