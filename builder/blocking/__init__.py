"""How layers of the `mcu` profile are cut into blocks: their shapes, and what is chosen for each."""
