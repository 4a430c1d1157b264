"""The serial link to a board: ports, framing, and the agent's commands as Python functions."""
