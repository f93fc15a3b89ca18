"""The rules of a command's life, in plain Python: they decide on values alone, without SQL, input, output or clock."""
