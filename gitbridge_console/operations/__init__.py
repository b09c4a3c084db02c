"""The operator's door: every command and every view of the console and the command line passes through here."""
