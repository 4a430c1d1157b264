"""Emulated boards, each in its own process on a pseudo-terminal: reached exactly as through a cable.

`base.start_emulator` starts one; `python -m devices.emulators BOARD` is the process it starts.
"""
