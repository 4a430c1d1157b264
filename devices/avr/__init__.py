"""Containers as whole images for Arduino boards with an AVR: the container's code and a small runtime."""
