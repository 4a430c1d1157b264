"""What operators of one family share: a file each, with the loops that their kernels fill in."""
