"""The commands of the command line, one module per theme, each imported only when it is asked for."""
