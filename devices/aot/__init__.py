"""Ahead-of-time translation: a container's WebAssembly becomes machine code of a board.

module.py      what the module holds, and which modules are refused
wasm2c.py      WebAssembly to C, by the program of that name
rewrite.py     that C, freed of its instance and its memory
translate.py   both for a whole container
unit.py        one C unit: the functions, our memory model (runtime/), and an entry for the agent or others
machine.py     C to machine code
elf.py stack.py   what the linker made, and how much stack it takes
build.py       all of it: the image of a container for a board
"""
