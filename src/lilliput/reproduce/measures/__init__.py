"""How each claim's number is computed from what a reproduction has measured: one function per kind of claim."""
