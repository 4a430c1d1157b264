"""What installs an agent, or a whole image, through the loader that a chip has of its own: a file each."""
