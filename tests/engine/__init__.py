"""The machines: coordinator and participants under one roof, with faults and lies."""
